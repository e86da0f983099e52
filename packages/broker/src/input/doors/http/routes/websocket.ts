import { nothing } from "../fields.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, route } from "../route.ts";

/** Where MQTT over WebSocket is served. */
export const WEBSOCKET_PATH = "/mqtt";

export function webSocketRoutes(): readonly Route[] {
  return [
    route({
      method: "GET",
      path: WEBSOCKET_PATH,
      group: "MQTT",
      permission: "public",
      summary: "MQTT over WebSocket; the key goes into CONNECT.",
      query: nothing,
      answers: {},
      problems: ["upgrade-required"],
      handle: () => {
        const headers = { upgrade: "websocket", connection: "Upgrade" };
        throw new HttpRefusal("upgrade-required", "open it as a WebSocket with the sub-protocol mqtt", { headers });
      },
    }),
  ];
}
