import type { Limits } from "../../../config/limits.ts";
import type { Route } from "./route.ts";
import { auditRoutes } from "./routes/audit.ts";
import { backupRoutes } from "./routes/backup.ts";
import { batchRoutes } from "./routes/batch.ts";
import { certificateRoutes } from "./routes/certificates.ts";
import { consumeRoutes } from "./routes/consume.ts";
import { deadRoutes } from "./routes/dead.ts";
import { delayedRoutes } from "./routes/delayed.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { keyRoutes } from "./routes/keys.ts";
import { logRoutes } from "./routes/log.ts";
import { messageRoutes } from "./routes/messages.ts";
import { openApiRoutes } from "./routes/openapi.ts";
import { passwordRoutes } from "./routes/passwords.ts";
import { policyRoutes } from "./routes/policy.ts";
import { signingKeyRoutes } from "./routes/signing-keys.ts";
import { storageRoutes } from "./routes/storage.ts";
import { subscriptionRoutes } from "./routes/subscriptions.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { topicRoutes } from "./routes/topics.ts";
import { webSocketRoutes } from "./routes/websocket.ts";

/** All that the HTTP door serves, with the bounds of this server. */
export function routesOf(limits: Limits): readonly Route[] {
  const served = [
    ...messageRoutes(limits),
    ...batchRoutes(limits),
    ...consumeRoutes(limits),
    ...eventRoutes(limits),
    ...subscriptionRoutes(limits),
    ...deadRoutes(limits),
    ...topicRoutes(limits),
    ...delayedRoutes(limits),
    ...policyRoutes(limits),
    ...auditRoutes(limits),
    ...keyRoutes(),
    ...signingKeyRoutes(),
    ...certificateRoutes(),
    ...passwordRoutes(),
    ...tokenRoutes(limits),
    ...backupRoutes(),
    ...storageRoutes(),
    ...logRoutes(),
    ...healthRoutes(),
    ...webSocketRoutes(),
  ];
  return [...served, ...openApiRoutes(served)];
}
