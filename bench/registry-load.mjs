// Run by the registry benchmarks in a process of its own: as many requests as it is told, by 32 clients that keep their
// connections, over the addresses on its standard input. It says how many milliseconds that took.
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

const CLIENTS = 32;
const { origin, total, paths, method = "GET", bodies } = JSON.parse(await text(process.stdin));
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
const accept =
  "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/octet-stream";

function once(how, path, body) {
  return new Promise((done, fail) => {
    const headers = { accept };
    if (body !== undefined) Object.assign(headers, { "content-type": "application/octet-stream", "content-length": body.length });
    const sent = request(new URL(path, origin), { agent, method: how, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => {
        if (answer.statusCode < 400) done(answer.headers);
        else fail(new Error(`${how} ${path}: ${answer.statusCode}`));
      });
    });
    sent.on("error", fail);
    sent.end(body);
  });
}

async function push(name, { digest, size, fill }) {
  const { location } = await once("POST", `/v2/${name}/blobs/uploads/`, Buffer.alloc(0));
  const to = new URL(location, origin);
  to.searchParams.set("digest", digest);
  await once("PUT", to.href, Buffer.alloc(size, fill));
}

let next = 0;
const client = async () => {
  for (let index = next++; index < total; index = next++) {
    if (bodies === undefined) await once(method, paths[index % paths.length]);
    else await push(paths[index % paths.length], bodies[index]);
  }
};
const start = performance.now();
await Promise.all(Array.from({ length: CLIENTS }, client));
process.stdout.write(String(performance.now() - start));
agent.destroy();
