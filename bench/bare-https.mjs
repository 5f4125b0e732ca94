// Run by the benchmark of gets in a process of its own: Node's HTTPS server with nothing behind it. It gives everybody the
// bytes that it is sent, and says its port.
import { createServer } from "node:https";

process.once("message", ({ key, cert, body, headers }) => {
  const bytes = Buffer.from(body, "base64");
  const server = createServer({ key, cert }, (_, response) => {
    response.writeHead(200, headers);
    response.end(bytes);
  });
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
});
process.on("disconnect", () => process.exit());
