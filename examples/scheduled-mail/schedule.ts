// Schedules mails: once, at a time. They wait in the broker, over restarts; this program may end.
import { connectAsTold } from "../connect.ts";
import { Mail, mailTopic } from "./mail.ts";

const [to = "anna@example.org", delay = "2s"] = process.argv.slice(2);
await using mess = await connectAsTold();
const mails = mess.topic(mailTopic, Mail);

// The id makes it once, however often this program is run: within the broker's window a repeat is not stored.
const reminder = { to, subject: "Tomorrow", text: "Do not forget the tea." };
const first = await mails.publish(reminder, { delay, id: `reminder-${to}` });
const again = await mails.publish(reminder, { delay, id: `reminder-${to}` });
console.log(`scheduled at offset ${first.offset}; again: ${again.duplicate ? "not stored" : "stored"}`);
