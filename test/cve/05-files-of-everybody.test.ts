// LESSONS 5, Mosquitto CVE-2017-9868. Elsewhere the file with everything that was ever retained could be read by each
// user of the machine. Here every file is its owner's alone, whatever the umask of the one who starts the server.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { useField } from "./support.ts";

const field = useField({ wrapper: ["/bin/sh", "-c", 'umask 000; exec "$@"', "sh"] });

it("a umask of 000 opens nothing to others", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "secret", qos: 2, retain: true });
  const { dataDir } = arena.broker;
  const below = (readdirSync(dataDir, { recursive: true }) as string[]).map((name) => join(dataDir, name));
  const open = [dataDir, `${dataDir}.kek`, ...below].filter((path) => {
    const { mode } = lstatSync(path);
    return (mode & 0o077) !== 0 && !path.endsWith("ca.pem");
  });
  expect(open).toEqual([]);
  expect(below.length).toBeGreaterThan(5);
});
