import { join } from "node:path";
import { RpcChannel } from "../../core/service/client.js";
import { readConfig } from "../../core/service/config.js";
import { GENERATOR_SETTINGS, type GeneratorConfig } from "../../generator/config.js";
import { startGenerator } from "../../generator/start.js";

/** A generator on a free port of loopback, with models under `<folder>/models`, and a channel to it. */
export interface TinyGenerator {
  readonly address: string;
  readonly channel: RpcChannel;
  close(): Promise<void>;
}

export async function startTinyGenerator(
  folder: string,
  overrides: Partial<GeneratorConfig> = {},
): Promise<TinyGenerator> {
  const flags = { port: "0", modelDir: join(folder, "models"), cacheDir: join(folder, "cache"), threads: "1" };
  const config = readConfig(GENERATOR_SETTINGS, { ...flags, logLevel: "silent" }, {});
  const generator = await startGenerator({ ...config, ...overrides });
  const channel = new RpcChannel(generator.address);
  const close = async () => {
    channel.close();
    await generator.stop();
  };
  return { address: generator.address, channel, close };
}
