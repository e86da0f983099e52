import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bindingName,
  fakeVerifier,
  ScramExchange,
  type ScramOptions,
  type ScramStep,
  scram,
  scramPlus,
} from "./scram.ts";
import { type ClientWish, TestScramClient, verifierFor } from "./scram-client.test-data.ts";

const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
const pencil = verifierFor("pencil", salt, 4_096);
const binding = Buffer.alloc(32, 7);
const nobody = fakeVerifier(Buffer.from("secret"), "nobody", { saltBytes: 16, iterations: 4_096 });

function exchange(options: Partial<ScramOptions> = {}): ScramExchange {
  return new ScramExchange({
    method: scram,
    channelBinding: undefined,
    nonce: "server",
    verifierOf: (username) => (username === "user" ? pencil : nobody),
    ...options,
  });
}

function run(wish: Partial<ClientWish>, options: Partial<ScramOptions> = {}): ScramStep {
  const client = new TestScramClient({ username: "user", password: "pencil", nonce: "client", ...wish });
  const server = exchange(options);
  const step = server.next(client.first);
  return "challenge" in step ? server.next(client.final(step.challenge)) : step;
}

function longer(base64: string): string {
  return Buffer.concat([Buffer.from(base64, "base64"), Buffer.alloc(1)]).toString("base64");
}

const wrong = "the user name or the password is wrong";
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("SCRAM-SHA-256", () => {
  test("the exchange of RFC 7677 section 3, byte by byte", () => {
    const server = exchange({ nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" });
    expect(server.next(bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))).toEqual({
      challenge: bytes("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
    });
    const final =
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    expect(server.next(bytes(final))).toEqual({
      username: "user",
      data: bytes("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
    });
    expect(server.next(bytes(final))).toEqual({ problem: "this exchange is over" });
  });

  test("any name and password that belong together are right, and the client learns that we know it too", () => {
    const text = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }).filter((value) => !value.includes("\0"));
    fc.assert(
      fc.property(text, text, fc.uint8Array({ minLength: 16, maxLength: 16 }), (username, password, anySalt) => {
        const verifier = verifierFor(password, anySalt, 4_096);
        const client = new TestScramClient({ username, password, nonce: "c" });
        const server = exchange({ verifierOf: (name) => (name === username ? verifier : nobody) });
        const step = server.next(client.first);
        if (!("challenge" in step)) throw new Error("no challenge");
        const end = server.next(client.final(step.challenge));
        expect(end).toEqual({ username, data: bytes(client.serverSignature) });
      }),
      { numRuns: 40 },
    );
  });

  test("whoever knows the password and signs another nonce is refused: the last message repeats the server's", () => {
    expect(run({ lastNonce: "clientserver" })).toHaveProperty("data");
    for (const lastNonce of ["client", "clientother", "server"]) {
      expect(run({ lastNonce })).toEqual({ problem: wrong, username: "user" });
    }
  });

  test("a wrong password, and an unknown name, are refused alike", () => {
    expect(run({ password: "pencil " })).toEqual({ problem: wrong, username: "user" });
    expect(run({ username: "nobody" })).toEqual({ problem: wrong, username: "nobody" });
  });

  test("an unknown name is asked with the same salt each time, and another name with another one", () => {
    const ask = (username: string): string => {
      const step = exchange({
        verifierOf: (name) => fakeVerifier(Buffer.from("secret"), name, { saltBytes: 16, iterations: 600_000 }),
      }).next(new TestScramClient({ username, password: "", nonce: "c" }).first);
      return "challenge" in step ? Buffer.from(step.challenge).toString() : "";
    };
    expect(ask("x")).toBe(ask("x"));
    expect(ask("x")).not.toBe(ask("y"));
    expect(ask("x")).toMatch(/^r=cserver,s=[A-Za-z0-9+/]{22}==,i=600000$/);
  });

  test("a change of any one byte of either message refuses", () => {
    const client = new TestScramClient({ username: "user", password: "pencil", nonce: "client" });
    fc.assert(
      fc.property(fc.boolean(), fc.nat(), fc.integer({ min: 1, max: 255 }), (inFirst, at, by) => {
        const change = (message: Buffer): Buffer => {
          const changed = Buffer.from(message);
          changed[at % changed.length] = (changed[at % changed.length] as number) ^ by;
          return changed;
        };
        const server = exchange();
        const step = server.next(inFirst ? change(client.first) : client.first);
        if (!("challenge" in step)) return;
        const end = server.next(inFirst ? client.final(step.challenge) : change(client.final(step.challenge)));
        expect(end).toHaveProperty("problem");
      }),
    );
  });

  test("nothing that comes makes it throw, and nothing but the right proof lets in", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 3 }), (messages) => {
        const server = exchange();
        for (const message of messages) expect(server.next(message)).not.toHaveProperty("data");
      }),
    );
    const shaped = fc.array(
      fc.constantFrom(
        "n",
        "y",
        "p=tls-exporter",
        ",",
        ",,",
        "n=user",
        "n==2C",
        "r=client",
        "r=clientserver",
        "c=biws",
        "p=",
        "a=x",
        "m=x",
        "=",
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(shaped, shaped, (first, second) => {
        const server = exchange();
        server.next(bytes(first.join("")));
        expect(server.next(bytes(second.join("")))).not.toHaveProperty("data");
      }),
    );
  });

  test.each([
    ["an authorization identity", "n,a=admin,n=user,r=c"],
    ["an extension that must be known", "n,,m=x,n=user,r=c"],
    ["no nonce", "n,,n=user"],
    ["an empty nonce", "n,,n=user,r="],
    ["a nonce with a space", "n,,n=user,r=a b"],
    ["a nonce too long", `n,,n=user,r=${"x".repeat(257)}`],
    ["no name", "n,,n=,r=c"],
    ["a bad escape in the name", "n,,n=a=2c,r=c"],
    ["a bad extension", "n,,n=user,r=c,x"],
    ["a bad flag", "q,,n=user,r=c"],
    ["NUL", "n,,n=us\0er,r=c"],
    ["a message too long", `n,,n=${"x".repeat(2_048)},r=c`],
    ["nothing", ""],
  ])("%s is refused before anybody is looked up", (_, message) => {
    const server = exchange({
      verifierOf: () => {
        throw new Error("looked up");
      },
    });
    expect(server.next(bytes(message))).toHaveProperty("problem");
  });

  test("text that is not UTF-8 is refused", () => {
    expect(exchange().next(Uint8Array.of(0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff))).toHaveProperty("problem");
  });

  test.each([
    ["another nonce", (final: string) => final.replace("clientserver", "clientother")],
    ["the client's nonce alone", (final: string) => final.replace("clientserver", "client")],
    ["another header", (final: string) => final.replace("biws", "eSws")],
    ["a short proof", (final: string) => final.replace(/p=.*/, "p=AAAA")],
    ["an empty proof", (final: string) => final.replace(/p=.*/, "p=")],
    ["a long proof", (final: string) => final.replace(/p=.*/, `p=${"A".repeat(88)}`)],
    ["the right proof and a byte more", (final: string) => final.replace(/p=(.*)/, (_, proof) => `p=${longer(proof)}`)],
  ])("%s in the last message is refused", (_, change) => {
    const client = new TestScramClient({ username: "user", password: "pencil", nonce: "client" });
    const server = exchange();
    const step = server.next(client.first);
    if (!("challenge" in step)) throw new Error("no challenge");
    expect(server.next(bytes(change(client.final(step.challenge).toString())))).toEqual({
      problem: wrong,
      username: "user",
    });
  });

  test("a recorded last message does not work once more: our nonce is another", () => {
    const client = new TestScramClient({ username: "user", password: "pencil", nonce: "client" });
    const first = exchange({ nonce: "one" });
    const step = first.next(client.first);
    if (!("challenge" in step)) throw new Error("no challenge");
    const recorded = client.final(step.challenge);
    expect(first.next(recorded)).toHaveProperty("data");
    const second = exchange({ nonce: "two" });
    second.next(client.first);
    expect(second.next(recorded)).toHaveProperty("problem");
  });
});

describe("channel binding (RFC 5802 section 6)", () => {
  const plus = { method: scramPlus, channelBinding: binding } as const;
  const header = `p=${bindingName},,`;

  test("SCRAM-SHA-256-PLUS lets in who is on the same channel, and nobody who relays another's", () => {
    expect(run({ header, binding }, plus)).toHaveProperty("data");
    expect(run({ header, binding: Buffer.alloc(32, 8) }, plus)).toEqual({ problem: wrong, username: "user" });
    expect(run({ header }, plus)).toEqual({ problem: wrong, username: "user" });
  });

  test.each([
    ["n,,", plus],
    ["y,,", plus],
    ["p=tls-unique,,", plus],
    [header, { method: scramPlus, channelBinding: undefined }],
    [header, { method: scram, channelBinding: binding }],
    [header, { method: scram, channelBinding: undefined }],
    // A client that could bind was told that we cannot: somebody in between wants it so.
    ["y,,", { method: scram, channelBinding: binding }],
  ] as const)("flag %s is refused where it does not belong (%o)", (flag, options) => {
    expect(run({ header: flag, binding: flag.startsWith("p") ? binding : Buffer.alloc(0) }, options)).toHaveProperty(
      "problem",
    );
  });

  test("without: a client that knows none, and one that could where we cannot", () => {
    expect(run({ header: "n,," })).toHaveProperty("data");
    expect(run({ header: "y,," })).toHaveProperty("data");
    expect(run({ header: "n,," }, { channelBinding: binding })).toHaveProperty("data");
  });
});
