/** What the tests of the conventions share. */
import { type AckPacket, type Packet, type Properties, writeProperties } from "@mess/wire";
import { DeliveryForm, type Link } from "../../../model/link.ts";
import {
  type MessageAttributes,
  MessageDraft,
  MessageView,
  messageSize,
  writeAttributes,
  writeMessage,
} from "../../../model/message.ts";
import type { Lease } from "../../../model/queue.ts";
import { type Door, type DoorClient, subscribePacket } from "./door.test-data.ts";

export type Pairs = [string, string][];
export const saying = (...userProperties: Pairs): Properties => ({ userProperties });

/** A client that reads everything. */
export function reader(door: Door, clientId: string, properties?: Properties, version: 4 | 5 = 5): DoorClient {
  const client = door.connected(clientId, properties === undefined ? {} : { properties }, version);
  client.send(subscribePacket(1, "#"));
  door.commit();
  client.received();
  return client;
}

/** Packet id, code and sentence of each answer. */
export const reasons = (packets: readonly Packet[]): [number, number, string][] =>
  packets.map((packet) => {
    const { packetId, reasonCode, properties } = packet as AckPacket;
    return [packetId, reasonCode, properties?.reasonString ?? ""];
  });

export interface Told {
  readonly attributes?: MessageAttributes;
  readonly headers?: Properties;
  readonly lease?: Partial<Lease>;
  readonly plainTopic?: boolean;
  readonly topic?: string;
  readonly offset?: number;
  readonly payload?: string;
  readonly sharedSeq?: number;
}

/** Delivers as the engine would. */
export function deliver(link: Link, told: Told): boolean {
  const draft = new MessageDraft();
  draft.topicBytes = Buffer.from(told.topic ?? "orders/7");
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = writeProperties(told.headers ?? {});
  draft.headerEnd = draft.headerBytes.length;
  draft.payloadBytes = Buffer.from(told.payload ?? "x");
  draft.payloadEnd = draft.payloadBytes.length;
  draft.attributes = writeAttributes(told.attributes ?? {});
  const principalBytes = Buffer.from("shop");
  const bytes = Buffer.alloc(messageSize(draft, principalBytes));
  writeMessage(bytes, 0, draft, { principalBytes, number: 3 }, 1_700_000_000_000);
  const form = new DeliveryForm();
  form.qos = 1;
  form.packetId = 9;
  form.offset = told.offset ?? 17;
  form.sharedSeq = told.sharedSeq ?? 0;
  form.plainTopic = told.plainTopic ?? false;
  if (told.lease !== undefined) {
    const lease = { subscription: "billing", offset: 17, attempt: 2, token: "", expiresAt: 0, secondsLeft: 0 };
    form.lease = { ...lease, ...told.lease };
  }
  return link.deliver(new MessageView().read(bytes, 0, bytes.length), form);
}
