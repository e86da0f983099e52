/** Clients of a fake broker, closed after each test. */
import { afterEach } from "vitest";
import { connect } from "./connect.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { FakeBroker } from "./fake-broker.test-data.ts";
import type { Mess } from "./mess.ts";
import type { StandardSchema } from "./payload/standard-schema.ts";

const clients: Mess[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ timeout: 0 })));
});

export async function openClient(
  options: ConnectOptions = {},
  broker: FakeBroker = new FakeBroker(),
): Promise<{ mess: Mess; broker: FakeBroker }> {
  const reconnect = { min: 1, max: 5 };
  const mess = await connect("mqtt://localhost", { reconnect, transport: broker.transport, ...options });
  clients.push(mess);
  return { mess, broker };
}

export interface Reading {
  readonly celsius: number;
}

/** A schema as libraries make them. Its output is not its input, so that mixing them up shows. */
export const readingSchema: StandardSchema<Reading, Reading & { readonly checked: true }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const { celsius } = (value ?? {}) as Partial<Reading>;
      if (typeof celsius === "number") return { value: { celsius, checked: true } };
      return { issues: [{ message: "is not a number", path: ["celsius"] }] };
    },
  },
};

/** The same, but it takes its time. */
export const slowSchema: StandardSchema<Reading, Reading> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => {
      const reading = value as Reading;
      await new Promise((resolve) => setTimeout(resolve, 20 - reading.celsius));
      return { value: reading };
    },
  },
};
