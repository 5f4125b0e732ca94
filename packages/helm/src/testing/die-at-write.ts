// Loaded before a program: it is killed when it is about to send its BOXSHIP_DIE_AT-th change to an API server.
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";

const at = Number(process.env["BOXSHIP_DIE_AT"]);
const { connect } = http2;
let changes = 0;

http2.connect = ((...all: Parameters<typeof connect>) => {
  const session = connect(...all);
  const request = session.request.bind(session);
  session.request = (headers = {}, ...more) => {
    const method = (headers as Readonly<Record<string, unknown>>)[":method"];
    if (method !== "GET" && ++changes === at) process.kill(process.pid, "SIGKILL");
    return request(headers, ...more);
  };
  return session;
}) as typeof connect;
syncBuiltinESMExports();
