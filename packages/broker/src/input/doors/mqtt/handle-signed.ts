/**
 * A PUBLISH that bears a signature. It is verified on other threads; meanwhile what its connection sent behind it waits,
 * so that answers and messages keep their order, and other connections go on.
 */
import { copyForwardProperties, type PublishView, ReasonCode, readProperties } from "@mess/wire";
import type { TopicHandle } from "../../../model/engine.ts";
import type { MessageAttributes } from "../../../model/message.ts";
import { MessageDraft, noExpiry, writeAttributes } from "../../../model/message.ts";
import { formatSignedNonce, isFault, type SignatureVerdict } from "../../../model/signing.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { PropertyBytes } from "./property-bytes.ts";
import { publishDraft } from "./publish-draft.ts";

/** What was read of it before the answer is there; it owns its bytes. */
interface Signed {
  readonly draft: MessageDraft;
  readonly topic: TopicHandle;
  readonly attributes: MessageAttributes;
  readonly qos: 0 | 1 | 2;
  readonly packetId: number;
}

/** False when the connection is closing. */
export function handleSigned(
  connection: MqttConnection,
  view: PublishView,
  read: { readonly topic: TopicHandle; readonly attributes: MessageAttributes; readonly signature: string },
): boolean {
  const { context, principal, answers } = connection;
  const { topic, signature, attributes } = read;
  const { qos, packetId } = view;
  const bytes = view.packetEnd - view.packetStart;
  if (context.signedBytes + bytes > context.limits.signedBytesMax) {
    context.audit("sig.busy", { principal, topic: topic.name });
    answers.refuse(view, ReasonCode.QuotaExceeded, "sig.busy: too many signatures are being verified; try again later");
    return connection.isOpen;
  }
  const draft = draftOf(view, topic.name, signature);
  const signed: Signed = { draft, topic, attributes, qos, packetId };
  const verdict = context.signatures.verify({
    principal,
    topic: topic.name,
    properties: readProperties(view.bytes, view.propertiesStart, view.propertiesEnd) ?? {},
    payload: draft.payloadBytes,
    signature,
  });
  if (!(verdict instanceof Promise)) return finish(connection, signed, verdict);
  return connection.holdInput(bytes, verdict, (given) => finish(connection, signed, given));
}

function finish(connection: MqttConnection, signed: Signed, verdict: SignatureVerdict): boolean {
  const { draft, topic, qos, packetId, attributes } = signed;
  if (isFault(verdict)) {
    connection.answers.refuse({ qos, packetId }, ReasonCode.NotAuthorized, verdict.text);
    return connection.isOpen;
  }
  const { nonce } = verdict;
  draft.attributes = writeAttributes(
    nonce === undefined ? attributes : { ...attributes, nonce: formatSignedNonce({ ...nonce, packetId }) },
  );
  return publishDraft(connection, topic, draft, packetId);
}

/** The signature travels on, as the one property of its kind: a consumer can verify it again. */
function draftOf(view: PublishView, topic: string, signature: string): MessageDraft {
  const draft = new MessageDraft();
  const forward = Buffer.allocUnsafe(view.forwardLength);
  copyForwardProperties(view, forward, 0);
  const headers = new PropertyBytes();
  headers.append(forward);
  headers.user("mess-signature", signature);
  draft.qos = view.qos;
  draft.retain = view.retain;
  draft.isRepeat = view.dup;
  draft.expirySeconds = view.messageExpiry < 0 ? noExpiry : view.messageExpiry;
  draft.topicBytes = Buffer.from(topic, "utf8");
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = headers.bytes;
  draft.headerEnd = headers.length;
  draft.payloadBytes = Buffer.from(view.bytes.subarray(view.payloadStart, view.payloadEnd));
  draft.payloadEnd = draft.payloadBytes.length;
  return draft;
}
