/** What tests of the API read out of messages and answers. */
import { type Properties, readProperties } from "@mess/wire";
import type { MessageView } from "../../../model/message.ts";
import type { Reply } from "./http.test-data.ts";

export function payloadOf(view: MessageView): string {
  return view.bytes.toString("utf8", view.payloadStart, view.payloadEnd);
}

export function propertiesOf(view: MessageView): Properties {
  return readProperties(view.bytes, view.headerStart, view.headerEnd) ?? {};
}

/** Where the first fault of a problem is. */
export function pathOf(reply: Reply): unknown {
  return (reply.json["errors"] as { path: string }[] | undefined)?.[0]?.path;
}
