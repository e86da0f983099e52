import fc from "fast-check";
import { expect, it } from "vitest";
import { certificateNames, declaredDocuments } from "../../../identity/declared-document.test-data.ts";
import { policyFromJson } from "../../../identity/policy-document.ts";
import { policyDocument } from "./policy-view.ts";

it("shows a policy as what `PUT` takes for the same one", () => {
  fc.assert(
    fc.property(declaredDocuments, certificateNames, (declared, certificates) => {
      const document = {
        ...declared,
        principals: { device: { roles: ["viewer"], certificates }, other: { roles: [] } },
      };
      expect(policyFromJson(JSON.stringify(policyDocument(document)))).toEqual({ policy: document });
    }),
    { numRuns: 300 },
  );
});
