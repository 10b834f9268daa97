import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startLocalServices } from "../cli/local/services.js";
import { RpcChannel } from "../core/service/client.js";

const MODELS = fileURLToPath(new URL("../../demo", import.meta.url));

/** How long services may take until they answer. */
const START_MS = 300_000;

/** The three services as processes of their own, on loopback. */
export interface DemoServices {
  readonly generator: RpcChannel;
  readonly trainer: RpcChannel;
  readonly evaluator: RpcChannel;
  /** Rejects when a service ends by itself, or at an interruption. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Starts generator, trainer and evaluator with their folders under `folder`; logs go to `folder`/logs.
 * @param interrupted rejects when the work is to end
 * @param settings more environment variables for all three
 */
export async function startServices(
  folder: string,
  interrupted: Promise<never>,
  settings: Readonly<Record<string, string>> = {},
): Promise<DemoServices> {
  const services = await startLocalServices({
    folder,
    modelDir: MODELS,
    dataIndexDir: join(folder, "data-index"),
    threads: 1,
    environment: settings,
  });
  const failed = Promise.race([interrupted, services.failed]);
  failed.catch(() => undefined); // whoever works with the services waits for it
  const channels = [services.generator, services.trainer, services.evaluator].map((address) => new RpcChannel(address));
  const stop = async () => {
    for (const channel of channels) channel.close();
    await services.stop();
  };
  try {
    await Promise.race([Promise.all(channels.map((channel) => channel.waitForReady(START_MS))), failed]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { generator: channels[0]!, trainer: channels[1]!, evaluator: channels[2]!, failed, stop };
}
