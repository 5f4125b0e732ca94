import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/**
 * A webhook of admission and conversion in a process of its own. Its parent sends it `{ key, cert }`; it answers with
 * `{ port }`, and then tells every review that it gets as `{ path, review }`. What it says depends on the path.
 */

interface Review {
  apiVersion: string;
  request: {
    uid: string;
    name?: string;
    object?: { metadata?: { labels?: Record<string, string>; name?: string } };
    objects?: Record<string, unknown>[];
    desiredAPIVersion?: string;
  };
}

const patchOf = (operations: unknown[]) => ({
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

function label(review: Review, name: string, value: string) {
  const labels = { ...review.request.object?.metadata?.labels, [name]: value };
  return patchOf([{ op: "add", path: "/metadata/labels", value: labels }]);
}

function convert(object: Record<string, unknown>, version: string) {
  const spec = { ...(object["spec"] as Record<string, unknown>) };
  if (version.endsWith("/v2") && "host" in spec) {
    const [name, port] = String(spec["host"]).split(":");
    delete spec["host"];
    Object.assign(spec, { name, port });
  } else if (version.endsWith("/v1") && "name" in spec) {
    const host = `${String(spec["name"])}:${String(spec["port"])}`;
    delete spec["name"];
    delete spec["port"];
    Object.assign(spec, { host });
  }
  return { ...object, apiVersion: version, spec };
}

const ANSWERS: Readonly<Record<string, (review: Review) => object | string | undefined>> = {
  "/label-a": (review) => ({ allowed: true, ...label(review, "a", "1") }),
  /** Says whether it has seen the label of the other. */
  "/label-b": (review) => ({
    allowed: true,
    ...label(review, "b", review.request.object?.metadata?.labels?.["a"] === undefined ? "alone" : "after-a"),
  }),
  "/strip-resources": () => ({
    allowed: true,
    ...patchOf([{ op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: "s" } }]),
  }),
  "/scale-to-7": () => ({ allowed: true, ...patchOf([{ op: "replace", path: "/spec/replicas", value: 7 }]) }),
  "/bad-patch": () => ({ allowed: true, ...patchOf([{ op: "remove", path: "/nothing/here" }]) }),
  "/undecodable": () => ({ allowed: true, patchType: "JSONPatch", patch: Buffer.from("what?").toString("base64") }),
  "/untyped": () => ({ allowed: true, patch: patchOf([]).patch }),
  "/odd-type": () => ({ allowed: true, ...patchOf([]), patchType: "Merge" }),
  /** Without what newer reviews must have. */
  "/old": (review) => ({
    uid: "x",
    allowed: true,
    patch: label(review, "old", review.apiVersion.replace("/", "_")).patch,
  }),
  "/other-identity": () => ({
    allowed: true,
    ...patchOf([
      { op: "add", path: "/metadata/uid", value: "mine" },
      { op: "add", path: "/metadata/creationTimestamp", value: "2000-01-01T00:00:00Z" },
    ]),
  }),
  "/allow": () => ({ allowed: true, warnings: ["I was asked"] }),
  "/move": () => ({ allowed: true, ...patchOf([{ op: "add", path: "/metadata/namespace", value: "kube-system" }]) }),
  "/talk": () => ({ allowed: true, warnings: Array.from({ length: 500 }, (_, at) => `${at} ${"w".repeat(2000)}`) }),
  "/deny": () => ({ allowed: false, status: { message: "not today", code: 403, reason: "Forbidden" } }),
  "/deny-plainly": () => ({ allowed: false }),
  "/stall": () => undefined,
  "/garbage": () => "<html>",
  "/other-uid": () => ({ allowed: true, uid: "x" }),
};

interface Conversion {
  uid: string;
  result: { status: string; message?: string };
  convertedObjects: Record<string, unknown>[];
}

/** What is wrong with an answer by the path that was asked; `/convert` is right. */
const CONVERSIONS: Readonly<Record<string, (good: Conversion) => unknown>> = {
  "/convert-badly": (good) => ({ ...good, result: { status: "Failure", message: "cannot" }, convertedObjects: [] }),
  "/convert-nothing": (good) => ({ ...good, convertedObjects: [] }),
  "/convert-uid": (good) => ({
    ...good,
    convertedObjects: good.convertedObjects.map((one) => ({
      ...one,
      metadata: { ...(one["metadata"] as object), uid: "other" },
    })),
  }),
  "/convert-other-version": (good) => ({
    ...good,
    convertedObjects: good.convertedObjects.map((one) => ({ ...one, apiVersion: "example.com/v9" })),
  }),
  "/convert-for-others": (good) => ({ ...good, uid: "x" }),
};

process.once("message", (options: ServerOptions) => {
  const server = createServer(options, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const path = (request.url ?? "").split("?")[0] ?? "";
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      process.send?.({ path, url: request.url, host: request.headers.host, review });
      response.setHeader("content-type", "application/json");
      if (path.startsWith("/convert")) {
        const { uid, objects = [], desiredAPIVersion = "" } = review.request;
        const converted = objects.map((one) => convert(one, desiredAPIVersion));
        const good = { uid, result: { status: "Success" }, convertedObjects: converted };
        const answer = CONVERSIONS[path];
        response.end(JSON.stringify({ ...review, response: answer === undefined ? good : answer(good) }));
        return;
      }
      const said = ANSWERS[path]?.(review);
      if (path === "/broken") response.writeHead(500).end("boom");
      if (said === undefined) return;
      if (typeof said === "string") response.end(said);
      else response.end(JSON.stringify({ ...review, response: { uid: review.request.uid, ...said } }));
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
});
process.on("disconnect", () => process.exit(0));
