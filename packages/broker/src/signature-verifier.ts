/**
 * Verifies signed messages for the doors, on the thread pool. The pool has four threads and the journal needs them too,
 * so two signatures are looked at at a time; the others wait, each with the connection or request that brought it.
 */
import type { Machine } from "./core/machine.ts";
import {
  importSignatureKey,
  type MessageSignature,
  parseMessageSignature,
  type SignatureKey,
  signatureHolds,
  signatureMismatch,
} from "./identity/message-signature.ts";
import { ownerOf } from "./model/derived-principal.ts";
import {
  type SignatureFault,
  type SignatureVerdict,
  type SignatureVerifier,
  type SignedMessage,
  type SigningKeyRecord,
  signatureFault,
} from "./model/signing.ts";

const underWayMax = 2;

export class JournaledKeysVerifier implements SignatureVerifier {
  readonly #machine: Machine;
  /** Made once a key, and gone with it. */
  readonly #keys: WeakMap<SigningKeyRecord, Promise<SignatureKey>> = new WeakMap();
  /** First come, first served. */
  readonly #waiting: Set<() => void> = new Set();
  #underWay = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  verify(message: SignedMessage): SignatureVerdict | Promise<SignatureVerdict> {
    const { publishing, state } = this.#machine;
    const { topicSettings, signingKeys } = state;
    const isDeclared = topicSettings.size > 0;
    const mode = isDeclared ? topicSettings.of(publishing.topicNamed(message.topic))?.settings.signing : undefined;
    if (mode === "none") return { nonce: undefined };
    const signature = parseMessageSignature(message.signature);
    if ("problem" in signature) return this.#refused(message, signature);
    const key = signingKeys.get(signature.keyId);
    const { topic, properties } = message;
    const principal = ownerOf(message.principal);
    const fault =
      signatureMismatch(signature, key, { principal, topic, properties }) ??
      publishing.checks.signatures.stale(signature.issuedAt);
    if (fault !== undefined || key === undefined) return this.#refused(message, fault ?? wrong);
    return this.#judge(message, signature, key);
  }

  async #judge(
    message: SignedMessage,
    signature: MessageSignature,
    record: SigningKeyRecord,
  ): Promise<SignatureVerdict> {
    if (this.#underWay >= underWayMax) await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    else this.#underWay++;
    try {
      const holds = await signatureHolds(signature, await this.#keyOf(record), message.payload);
      // It may have been removed meanwhile.
      if (!holds || this.#machine.state.signingKeys.get(record.id) !== record) return this.#refused(message, wrong);
      const { keyId, nonce, issuedAt } = signature;
      return { nonce: { keyId, nonce, issuedAt } };
    } finally {
      // The place goes to the next one that waits, or is free.
      const [next] = this.#waiting;
      if (next === undefined) this.#underWay--;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  #keyOf(record: SigningKeyRecord): Promise<SignatureKey> {
    let key = this.#keys.get(record);
    if (key === undefined) {
      key = importSignatureKey(record);
      this.#keys.set(record, key);
    }
    return key;
  }

  #refused({ principal, topic }: SignedMessage, fault: SignatureFault): SignatureFault {
    this.#machine.audit.signature(fault.problem, principal, topic);
    return fault;
  }
}

const wrong = signatureFault("sig.bad", "the signature does not hold for this message");
