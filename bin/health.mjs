/**
 * Health probe for container engines and scripts: `health.mjs [HOST:PORT] [SERVICE]` calls grpc.health.v1's Check, by default of this machine's
 * HEALTH_PORT, which speaks no TLS, or else PORT.
 * Exit code 0: SERVING; 1: anything else; 2: no address. It speaks HTTP/2 itself: a probe runs every few seconds, and
 * loading a gRPC library takes twice as long as all the rest.
 */
import { connect } from "node:http2";

const SERVING = 1;
const TIMEOUT_MS = 5_000;
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

const { HEALTH_PORT, PORT } = process.env;
const port = HEALTH_PORT || PORT;
const [address = port && `127.0.0.1:${port}`, service = ""] = process.argv.slice(2);
if (!address) end(2, "usage: health.mjs HOST:PORT [SERVICE]; without an address HEALTH_PORT or PORT must be set");

setTimeout(() => end(1, `${address}: no answer within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
const session = connect(`http://${address}`);
session.on("error", (error) => end(1, `${address}: ${error.message}`));
const call = session.request({
  ":method": "POST",
  ":path": "/grpc.health.v1.Health/Check",
  "content-type": "application/grpc",
  te: "trailers",
});
const chunks = [];
let trailers = {};
call.on("response", (headers) => (trailers = headers)); // An error without a message comes as headers alone.
call.on("trailers", (headers) => (trailers = headers));
call.on("data", (chunk) => chunks.push(chunk));
call.on("error", (error) => end(1, `${address}: ${error.message}`));
call.on("end", () => {
  const code = trailers["grpc-status"];
  const reason = decodeURIComponent(trailers["grpc-message"] ?? "");
  if (code !== "0") end(1, `${address}: gRPC status ${code ?? "missing"} ${reason}`);
  const status = statusOf(Buffer.concat(chunks));
  end(status === SERVING ? 0 : 1, `${address}: ${STATUSES[status] ?? status}`);
});
call.end(request(service));

/** HealthCheckRequest { string service = 1; }, framed as gRPC frames messages: no compression, length, message. */
function request(name) {
  const text = Buffer.from(name);
  if (text.length > 127) end(2, "the service's name is longer than 127 bytes");
  const message = text.length === 0 ? text : Buffer.concat([Buffer.from([0x0a, text.length]), text]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** HealthCheckResponse { ServingStatus status = 1; }: a status of 0 is left out. */
function statusOf(framed) {
  return framed[5] === 0x08 ? framed[6] : 0;
}

function end(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
