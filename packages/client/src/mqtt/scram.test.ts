import { describe, expect, it } from "vitest";
import { ScramLogin, type ScramOptions } from "./scram.ts";
import { passwordVerifier, scramKeys, toBase64 } from "./scram-keys.ts";

/** Bytes whose base64 is the nonce of a test vector. */
function nonceWorld(nonce: string): { bytes: () => Uint8Array } {
  return { bytes: () => Buffer.from(nonce, "base64") };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => Buffer.from(data).toString();

function login(options: Partial<ScramOptions> = {}, binding?: Uint8Array): ScramLogin {
  return new ScramLogin(
    { username: "user", password: "pencil", ...options },
    binding,
    nonceWorld("rOprNGfwEbeRWgbNEkqO"),
  );
}

const challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

describe("a login by SCRAM", () => {
  it("is that of RFC 7677 section 3, byte by byte", async () => {
    const one = login();
    expect([one.method, text(one.first())]).toEqual(["SCRAM-SHA-256", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"]);
    expect(text(await one.next(bytes(challenge)))).toBe(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    expect(() => one.finish(bytes("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))).not.toThrow();
  });

  it("is bound to the channel where it can be, unless it is told not to", async () => {
    const binding = new Uint8Array(32).fill(7);
    const bound = login({}, binding);
    expect([bound.method, text(bound.first())]).toEqual([
      "SCRAM-SHA-256-PLUS",
      "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    ]);
    const [sent = ""] = text(await bound.next(bytes(challenge))).split(",");
    expect(Buffer.from(sent.slice(2), "base64")).toEqual(Buffer.concat([Buffer.from("p=tls-exporter,,"), binding]));
    expect(login({ channelBinding: false }, binding).method).toBe("SCRAM-SHA-256");
  });

  it("writes commas and equals signs of a name so that they are no grammar", () => {
    expect(text(login({ username: "a=b,c" }).first())).toBe("n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO");
  });

  it.each([
    ["another nonce", challenge.replace("rOpr", "XXXX")],
    ["no nonce of its own", challenge.replace(/%hv[^,]*/, "")],
    ["few iterations", challenge.replace("4096", "4095")],
    ["endless iterations", challenge.replace("4096", "10000001")],
    ["no number", challenge.replace("4096", "4e6")],
    ["an extension that must be known", `m=x,${challenge}`],
    ["an error", "e=other-error"],
    ["a salt that is no base64", challenge.replace("W22Z", "W2=Z")],
    ["nothing", ""],
  ])("gives no proof to a server that asks with %s", async (_, asked) => {
    await expect(login().next(bytes(asked))).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  it("answers one challenge and no more", async () => {
    const one = login();
    const first = one.next(bytes(challenge));
    await expect(one.next(bytes(challenge))).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
    await first;
  });

  it("does not take a server that has not proved itself", async () => {
    for (const said of [undefined, "", "v=", "v=AAAA", "e=invalid-proof"]) {
      const one = login();
      const finish = (): void => one.finish(said === undefined ? undefined : bytes(said));
      expect(finish).toThrow("did not prove");
      await one.next(bytes(challenge));
      expect(finish).toThrow("did not prove");
    }
  });
});

describe("a password", () => {
  const keys = async (password: string): Promise<string> =>
    toBase64((await scramKeys(password, new Uint8Array(16), 4_096)).storedKey);

  it("is the same in whatever form it is typed (RFC 4013)", async () => {
    const same: [string, string][] = [
      ["IX", "I\u00adX"],
      ["user", "user"],
      ["a", "\u00aa"],
      ["IX", "\u2168"],
      ["a b", "a\u00a0b"],
      ["caf\u00e9", "cafe\u0301"],
    ];
    for (const [plain, typed] of same) expect(await keys(typed)).toBe(await keys(plain));
    expect(await keys("User")).not.toBe(await keys("user"));
  });

  it.each(["", "\u00ad", "a\u0007", "a\0", "\ud800", "\ue000", "\ufffe", "\u202e"])(
    "cannot be %j",
    async (password) => {
      await expect(passwordVerifier(password, 4_096)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("becomes a verifier with a salt of its own each time", async () => {
    const [one, two] = await Promise.all([passwordVerifier("x", 15_000), passwordVerifier("x", 15_000)]);
    expect(Buffer.from(one.salt, "base64")).toHaveLength(16);
    expect(one.iterations).toBe(15_000);
    expect([one.salt, one.storedKey, one.serverKey]).not.toContain(two.salt);
    expect(one.storedKey).not.toBe(two.storedKey);
    const again = await scramKeys("x", Buffer.from(one.salt, "base64"), 15_000);
    expect([toBase64(again.storedKey), toBase64(again.serverKey)]).toEqual([one.storedKey, one.serverKey]);
  });
});
