import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { createServer, connect as tcpConnect } from "node:net";

/** A stream that was opened and is not read. */
export interface UnreadStream {
  /** Ends it, and its connection. */
  close(): void;
}

/** How a client stops reading. */
export type Pause =
  /** HTTP/2 flow control: the connection works, this stream's window stays closed. */
  | "stream"
  /** TCP flow control: nothing is taken from the socket any more. */
  | "socket";

/** Bytes that come through before a socket is paused: settings, the answer's header, the first of it. */
const BEFORE_PAUSE = 4096;

/**
 * Calls a method on a connection of its own and stops reading what it answers.
 * @param path as `/spin.v1.TrainerService/WatchIteration`
 */
export async function openUnreadStream(
  address: string,
  path: string,
  request: Uint8Array,
  pause: Pause,
): Promise<UnreadStream> {
  const link = pause === "socket" ? await pausingLink(address) : { address, close: () => undefined };
  const session: ClientHttp2Session = connect(`http://${link.address}`);
  session.on("error", () => undefined);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(request.length, 1);
  stream.end(Buffer.concat([header, request]));
  await once(stream, "response");
  return {
    close: () => {
      session.destroy();
      link.close();
    },
  };
}

/** A TCP link that stops taking what the service sends soon after its answer has begun. */
async function pausingLink(target: string): Promise<{ address: string; close(): void }> {
  const [host, port] = target.split(":") as [string, string];
  const server = createServer((near) => {
    const far = tcpConnect(Number(port), host);
    let taken = 0;
    for (const socket of [near, far]) {
      socket
        .on("error", () => undefined)
        .on("close", () => {
          near.destroy();
          far.destroy();
        });
    }
    near.pipe(far);
    far.on("data", (data: Buffer) => {
      taken += data.length;
      near.write(data);
      if (taken > BEFORE_PAUSE) far.pause();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { address: `127.0.0.1:${address.port}`, close: () => void server.close() };
}
