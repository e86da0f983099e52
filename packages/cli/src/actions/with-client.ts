import { connectMqtt, type MqttClient, type MqttConnectOptions } from "@mess/client";
import type { Io } from "../io.ts";
import { formatKey, isJwt } from "../target/key-text.ts";
import { resolveTarget, type Target, type TargetOptions } from "../target/target.ts";

/** The options of `connect` that a target gives. */
export function connectOptions(target: Target): MqttConnectOptions {
  const { ca, key, certificate } = target;
  const user = key === undefined ? {} : { keyId: key.id, secret: key.secret };
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate.cert, key: certificate.key }),
    ...(key !== undefined && isJwt(key) ? { keyId: "jwt", secret: formatKey(key) } : user),
  };
}

/**
 * Connects, lets `use` work, and disconnects. An interruption ends the connection in order and is then thrown, so that
 * the exit code tells it.
 */
export async function withClient(
  io: Io,
  options: TargetOptions,
  more: MqttConnectOptions,
  use: (client: MqttClient, interrupted: AbortSignal) => Promise<void>,
): Promise<void> {
  const interrupted = io.watchSignals();
  const target = await resolveTarget(options, io);
  let client: MqttClient;
  try {
    client = await connectMqtt(target.url, { ...connectOptions(target), ...more, signal: interrupted });
  } catch (error) {
    interrupted.throwIfAborted();
    throw error;
  }
  const onInterrupt = (): void => void client.disconnect({ timeout: 2000 });
  interrupted.addEventListener("abort", onInterrupt, { once: true });
  try {
    await use(client, interrupted);
  } catch (error) {
    // What fails because of the goodbye is not the news: the interruption is.
    interrupted.throwIfAborted();
    throw error;
  } finally {
    interrupted.removeEventListener("abort", onInterrupt);
    await client.disconnect();
  }
  interrupted.throwIfAborted();
}
