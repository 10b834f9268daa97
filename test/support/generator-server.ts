import { type ChannelLimits, RpcChannel } from "../../core/service/client.js";
import { defineService, type Handlers } from "../../core/service/handlers.js";
import { createLogger } from "../../core/service/logging.js";
import { type RunningServer, type ServerOptions, startServer } from "../../core/service/server.js";
import { GeneratorServiceService } from "../../proto/gen/spin/v1/generator_service.js";

export type GeneratorHandlers = Handlers<typeof GeneratorServiceService>;

const unexpected = () => {
  throw new Error("this test calls no such method");
};

/** A server with the generator's contract and a test's own handlers, on a free port of loopback, and a channel to it. */
export async function startGeneratorServer(
  handlers: Partial<GeneratorHandlers>,
  options: Partial<ServerOptions> = {},
  limits: ChannelLimits = {},
): Promise<{ server: RunningServer; channel: RpcChannel; close: () => Promise<void> }> {
  const all = { sampleTrajectories: unexpected, renderImages: unexpected, getGenerator: unexpected, ...handlers };
  const services = [defineService(GeneratorServiceService, all)];
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    services,
    log: createLogger("test", "silent"),
    ...options,
  });
  const channel = new RpcChannel(`127.0.0.1:${server.port}`, limits);
  const close = async () => {
    channel.close();
    await server.stop(0);
  };
  return { server, channel, close };
}
