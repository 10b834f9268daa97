import { RpcChannel } from "../../core/service/client.js";
import { HealthService } from "../../proto/gen/grpc/health/v1/health.js";

/**
 * The program of a process that holds connections: `hold-connections.js <addresses> <clients>`. Each client has a connection of its own to each
 * address, asks for health once and does nothing more. It says "ready", and ends with its parent.
 */

/** Connections being made at a time: a listening socket's backlog has an end. */
const AT_A_TIME = 50;

const [addresses = "", clients = "0"] = process.argv.slice(2);
process.on("disconnect", () => process.exit());
const wanted = addresses.split(",").flatMap((address) => Array.from({ length: Number(clients) }, () => address));
while (wanted.length > 0) {
  await Promise.all(
    wanted.splice(0, AT_A_TIME).map(async (address) => {
      const channel = new RpcChannel(address);
      await channel.waitForReady(60_000);
      await channel.call(HealthService.check, { service: "" });
    }),
  );
}
process.send!("ready");
