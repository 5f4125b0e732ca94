import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { tempDir } from "@boxship/testkit";
import { type Cluster, call, object, PATH, residentOf, startCluster } from "./kubernetes-cluster.ts";

/**
 * Ten thousand watches of a cluster come and go, of several resources and selectors: some are ended by the client, others
 * lose their connection. Each has been told of a change. What the server holds on to for each shows as growth, and fails the run.
 */

const ROUNDS = 10;
const CONNECTIONS = 4;
/** A multiple of the queries. */
const OF_EACH = 252;
/** MB that may be more at the end than after the first round. */
const MOST_GROWTH = 20;
const MOST_DESCRIPTORS = 4;
/** The server gives memory back once it has been idle for a while. */
const IDLE_MS = 12_000;

const QUERIES = ["", "&labelSelector=round", "&fieldSelector=metadata.name%3Dwatched", "&allowWatchBookmarks=true"];

async function watch(session: ClientHttp2Session, query: string): Promise<ClientHttp2Stream> {
  const stream = session.request({ ":path": `${PATH}?watch=1${query}` });
  stream.on("error", () => {});
  const [head] = (await once(stream, "response")) as [{ ":status": number }];
  if (head[":status"] !== 200) throw new Error(`a watch was answered with ${head[":status"]}`);
  return stream;
}

async function round(cluster: Cluster, index: number): Promise<void> {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(cluster.server, cluster.tls));
  const all = await Promise.all(
    sessions.flatMap((session) =>
      Array.from({ length: OF_EACH }, (_, at) => watch(session, QUERIES[at % QUERIES.length] ?? "")),
    ),
  );
  const heard = all.flatMap((stream, at) => (at % QUERIES.length === 1 ? [] : [once(stream, "data")]));
  const [own] = cluster.sessions;
  if (own === undefined) throw new Error("the cluster has no connection");
  await call(own, "POST", PATH, object("watched", `round ${index}`));
  await Promise.all(heard);
  await call(own, "DELETE", `${PATH}/watched`);
  for (const [at, stream] of all.entries()) if (at % 2 === 0) stream.close(constants.NGHTTP2_CANCEL);
  for (const session of sessions) session.destroy();
}

interface Sample {
  readonly resident: number;
  readonly descriptors: number;
}

async function idle({ pid }: Cluster): Promise<Sample> {
  await delay(IDLE_MS);
  return { resident: Math.round(await residentOf(pid)), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

function print(what: string, { resident, descriptors }: Sample): void {
  process.stdout.write(`${what.padEnd(24)}${resident} MB, ${descriptors} descriptors\n`);
}

await using directory = tempDir();
await using cluster = await startCluster(directory.path);
print("before", await idle(cluster));
let first: Sample | undefined;
let last: Sample | undefined;
for (let index = 1; index <= ROUNDS; index++) {
  await round(cluster, index);
  if (index > 1 && index < ROUNDS) continue;
  last = await idle(cluster);
  first ??= last;
  print(`after ${index * CONNECTIONS * OF_EACH} watches`, last);
}
if (first === undefined || last === undefined) throw new Error("there was no round");
const grown = last.resident - first.resident > MOST_GROWTH || last.descriptors - first.descriptors > MOST_DESCRIPTORS;
process.stdout.write(grown ? "it has grown\n" : "no growth\n");
process.exitCode = grown ? 1 : 0;
