import { createGunzip } from "node:zlib";
import type { KubeObject } from "@boxship/api";
import { readJson } from "@boxship/client";
import { objectPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";
import type { Query } from "./api.ts";

interface PodName {
  readonly name?: string;
  readonly namespace?: string;
}

/** What a container writes, as it comes. @throws the server's refusal */
export async function openPodLog(
  session: Session,
  { name = "", namespace = "" }: PodName,
  query: Query,
): Promise<AsyncIterable<string>> {
  const mapping = (await session.mapper()).known("", "pods");
  const api = await session.api();
  const reply = await api.open("GET", objectPathOf(mapping, namespace, name, "log"), { query, accept: "*/*" });
  if (reply.status >= 400) await readJson(reply);
  const stream = reply.headers["content-encoding"] === "gzip" ? reply.stream.pipe(createGunzip()) : reply.stream;
  stream.setEncoding("utf8");
  return stream as AsyncIterable<string>;
}

/** All that a container printed, to standard output. */
export async function showLogs(session: Session, pod: KubeObject, container: string): Promise<void> {
  for await (const chunk of await openPodLog(session, pod.metadata, { container })) session.io.stdout.write(chunk);
}
