import { InvalidArgument } from "@boxship/base";
import type { ApiCall } from "../../http/call.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";
import { platformOf, platformText } from "./image-platform.ts";

const NOTE = "an OCI image layout with `manifest.json`, as Docker 25 and later write it; layers stay compressed";

async function send(call: ApiCall, names: readonly string[], platform: string | undefined): Promise<undefined> {
  const stream = await call.engine.images.save(names, platform === undefined ? {} : { platform });
  await sendStream(call, stream, { "Content-Type": "application/x-tar" });
  return undefined;
}

const platformQuery = (query: URLSearchParams, version: number) =>
  version < 48 ? undefined : platformText(platformOf(query));

const saveOne = defineRoute({
  method: "GET",
  path: "/images/{name*}/get",
  doc: { state: "works", note: NOTE },
  query: platformQuery,
  handle: async (call, { query: platform }) => send(call, [call.param("name")], platform),
});

const saveMany = defineRoute({
  method: "GET",
  path: "/images/get",
  doc: { state: "works", note: NOTE },
  query: (query, version) => {
    const names = query.getAll("names").filter((name) => name !== "");
    if (names.length === 0) throw new InvalidArgument("parameter names must name at least one image");
    return { names, platform: platformQuery(query, version) };
  },
  handle: async (call, { query: { names, platform } }) => send(call, names, platform),
});

export const imageSave: readonly Route[] = [saveOne, saveMany];
