// Sends the mails that are due.
import { connectAsTold, untilStopped } from "../connect.ts";
import { Mail } from "./mail.ts";

await using mess = await connectAsTold();
console.log("waiting for mails");
await mess.queue("mails", { schema: Mail, concurrency: 4 }).process(
  ({ value }) => {
    // Here a program of yours talks to its mail server. If that fails, throw: it is tried again later.
    console.log(`to ${value.to}: ${value.subject}`);
  },
  { signal: untilStopped() },
);
