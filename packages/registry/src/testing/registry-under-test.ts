import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createLogger } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { openRegistry, type Registry, type RegistryOptions } from "../open-registry.ts";

/** A registry that listens on a free port of the loopback address. */
export interface RegistryUnderTest extends AsyncDisposable {
  readonly registry: Registry;
  readonly root: string;
  readonly host: string;
  readonly port: number;
  readonly auth: "none";
  /** `http://host/v2` */
  readonly url: string;
  /** Ends it and starts it again, on another port; what comes of it owns what this one had. */
  restart(): Promise<RegistryUnderTest>;
}

/** @param root where its state is; removed at the end only when it is not given */
export async function listenForTest(options: Partial<RegistryOptions> = {}, root?: string): Promise<RegistryUnderTest> {
  await using stack = new AsyncDisposableStack();
  const directory = root ?? stack.use(tempDir("registry")).path;
  const logger = createLogger({ write: () => {} });
  const registry = stack.use(await openRegistry({ root: directory, logger, ...options }));
  registry.server.listen(0, "127.0.0.1");
  await once(registry.server, "listening");
  const end = async (): Promise<void> => {
    registry.server.closeAllConnections();
    registry.server.close();
  };
  stack.defer(end);
  const { port } = registry.server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const owned = stack.move();
  return {
    registry,
    root: directory,
    host,
    port,
    auth: "none",
    url: `http://${host}/v2`,
    restart: async () => {
      await end();
      await registry[Symbol.asyncDispose]();
      const next = await listenForTest(options, directory);
      const dispose = async () => {
        await next[Symbol.asyncDispose]();
        await owned.disposeAsync();
      };
      return { ...next, [Symbol.asyncDispose]: dispose };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pushes a blob in one piece. @returns its digest */
export async function pushBlob(url: string, repository: string, bytes: Uint8Array | string): Promise<string> {
  const digest = sha256(bytes);
  const begun = await fetch(`${url}/${repository}/blobs/uploads/`, { method: "POST" });
  const location = new URL(begun.headers.get("location") ?? "", url);
  location.searchParams.set("digest", digest);
  const done = await fetch(location, { method: "PUT", body: Buffer.from(bytes) });
  if (done.status !== 201) throw new Error(`${done.status} ${await done.text()}`);
  return digest;
}

/** Pushes an image of one layer. @returns the manifest's digest */
export async function pushImage(
  url: string,
  repository: string,
  reference: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const layer = `layer of ${repository}`;
  const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
  const descriptor = async (mediaType: string, text: string) => {
    return { mediaType, digest: await pushBlob(url, repository, text), size: Buffer.byteLength(text) };
  };
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: await descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [await descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    ...more,
  });
  const put = await fetch(`${url}/${repository}/manifests/${reference === "" ? sha256(manifest) : reference}`, {
    method: "PUT",
    body: manifest,
    headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
  });
  if (put.status !== 201) throw new Error(`${put.status} ${await put.text()}`);
  return sha256(manifest);
}
