import fc from "fast-check";
import { expect, it } from "vitest";
import { declaredDocuments } from "../../../identity/declared-document.test-data.ts";
import { policyFromJson } from "../../../identity/policy-document.ts";
import { policyDocument } from "./policy-view.ts";

it("shows a policy as what `PUT` takes for the same one", () => {
  fc.assert(
    fc.property(declaredDocuments, (document) => {
      expect(policyFromJson(JSON.stringify(policyDocument(document)))).toEqual({ policy: document });
    }),
    { numRuns: 300 },
  );
});
