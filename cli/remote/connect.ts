import { RpcChannel } from "../../core/service/client.js";
import { openCaller } from "./caller.js";

/** How long a service may take to answer at all. */
const CONNECT_MS = 5_000;

/**
 * Works with a service and closes the connection afterwards.
 * @throws SpinError "unavailable" where nothing answers at the address, or TLS does not come about
 */
export async function withService<T>(address: string, work: (service: RpcChannel) => Promise<T>): Promise<T> {
  const service = new RpcChannel(address, { caller: await openCaller() });
  try {
    await service.waitForReady(CONNECT_MS);
    return await work(service);
  } finally {
    service.close();
  }
}
