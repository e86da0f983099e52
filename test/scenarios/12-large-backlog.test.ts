// A backlog for an absent session lives on disk. Small here; `npm run backlog -- --messages 1000000` is the whole claim.
import { expect, it } from "vitest";
import { backlog } from "./backlog.ts";

const messages = Number(process.env["MESS_BACKLOG"] ?? 30_000);

it(`${messages} messages wait, the server starts anew quickly, and they come in order`, async () => {
  const report = await backlog(messages);
  expect(report.disorder).toBeUndefined();
  expect(report.peakInMb).toBeLessThan(300);
  expect(report.peakOutMb).toBeLessThan(300);
  expect(report.startSeconds).toBeLessThan(5);
}, 120_000);
