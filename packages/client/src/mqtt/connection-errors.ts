import { MessError } from "../mess-error.ts";

export function notConnected(): MessError {
  return new MessError("CLOSED", "the client is not connected");
}

export function closedByOwner(): MessError {
  return new MessError("CLOSED", "the client was disconnected");
}

export function lost(established: boolean): MessError {
  if (established) return new MessError("CONNECTION_LOST", "the server closed the connection");
  return new MessError("CONNECTION_LOST", "the server closed the connection before it answered CONNECT", {
    hint: "is it an MQTT port, and mqtts:// where it speaks TLS?",
  });
}
