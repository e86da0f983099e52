import { describe, expect, it } from "vitest";
import { derivedPrincipal, isDerived, ownerOf } from "./derived-principal.ts";

describe("a derived principal", () => {
  it("leads back to its owner", () => {
    const name = derivedPrincipal("shop", "k_abc");
    expect(name).toBe("shop~k_abc");
    expect(ownerOf(name)).toBe("shop");
    expect(isDerived(name)).toBe(true);
  });

  it.each(["shop", "", "~", "~k_abc", "a~b", "a~k", "shop~", "k_abc"])("is not the plain name %j", (name) => {
    expect(ownerOf(name)).toBe(name);
    expect(isDerived(name)).toBe(false);
  });

  it("goes back one step, so that an old name with the mark keeps what is its own", () => {
    expect(ownerOf(derivedPrincipal("a~b", "k_x"))).toBe("a~b");
  });
});
