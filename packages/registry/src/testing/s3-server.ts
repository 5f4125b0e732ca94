import { createHash, createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { S3Options } from "../blobs/s3/s3-store.ts";

/** A bucket of a server that speaks the part of S3's API that a registry needs, and checks who asks. */
export interface S3Server extends AsyncDisposable {
  readonly options: S3Options & { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** What goes wrong with a request. @default nothing */
  fault: (request: IncomingMessage) => S3Fault | undefined;
  stop(): Promise<void>;
}

/** It says so, says nothing at all, or breaks off after some bytes of the object. */
export type S3Fault = "busy" | "silent" | "cut";

interface StoredObject {
  readonly bytes: Buffer;
  readonly changed: Date;
}

const KEY = { id: "tester", secret: "tester's secret" } as const;
const REGION = "us-east-1";
/** Pages are small here, so that lists have several. */
const PAGE = 3;

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

export async function startS3(): Promise<S3Server> {
  const bucket = new Bucket();
  const server = createServer((request, response) => {
    const fault = s3.fault(request);
    if (fault === "silent") return;
    if (fault === "busy") response.writeHead(503).end("<Error><Code>ServiceUnavailable</Code></Error>");
    else void bucket.answer(request, response, fault === "cut");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  const endpoint = `http://127.0.0.1:${port}/bucket`;
  const s3: S3Server = {
    fault: () => undefined,
    options: { endpoint, region: REGION, accessKeyId: KEY.id, secretAccessKey: KEY.secret, prefix: "registry/" },
    stop,
    [Symbol.asyncDispose]: stop,
  };
  return s3;
}

class Bucket {
  readonly #objects = new Map<string, StoredObject>();
  readonly #uploads = new Map<string, Map<number, Buffer>>();

  async answer(request: IncomingMessage, response: ServerResponse, cut: boolean): Promise<void> {
    const body = await buffer(request);
    const url = new URL(request.url ?? "", "http://bucket");
    if (!isSigned(request, url, body)) {
      response.writeHead(403).end("<Error><Code>SignatureDoesNotMatch</Code></Error>");
      return;
    }
    const key = decodeURIComponent(url.pathname).replace(/^\/bucket\/?/, "");
    const upload = url.searchParams.get("uploadId");
    if (url.searchParams.has("uploads")) this.#begin(response);
    else if (upload !== null) this.#part(request, response, { key, upload, url, body });
    else if (key === "") this.#list(response, url);
    else this.#object(request, response, key, body, cut);
  }

  #object(request: IncomingMessage, response: ServerResponse, key: string, body: Buffer, cut: boolean): void {
    const found = this.#objects.get(key);
    switch (request.method) {
      case "PUT":
        this.#objects.set(key, { bytes: body, changed: new Date() });
        response.writeHead(200, { etag: `"${sha256(body)}"` }).end();
        return;
      case "DELETE":
        this.#objects.delete(key);
        response.writeHead(204).end();
        return;
      default:
    }
    if (found === undefined) {
      response.writeHead(404).end(request.method === "HEAD" ? "" : "<Error><Code>NoSuchKey</Code></Error>");
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const end = last === undefined || last === "" ? found.bytes.byteLength : Number(last) + 1;
    const part = found.bytes.subarray(Number(first ?? 0), end);
    response.writeHead(first === undefined ? 200 : 206, { "content-length": part.byteLength });
    if (cut) response.write(part.subarray(0, part.byteLength / 2), () => response.destroy());
    else response.end(request.method === "HEAD" ? undefined : part);
  }

  #begin(response: ServerResponse): void {
    const id = randomUUID();
    this.#uploads.set(id, new Map());
    const result = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    response.writeHead(200, { "content-type": "application/xml" }).end(result);
  }

  #part(
    request: IncomingMessage,
    response: ServerResponse,
    {
      key,
      upload,
      url,
      body,
    }: { readonly key: string; readonly upload: string; readonly url: URL; readonly body: Buffer },
  ): void {
    const parts = this.#uploads.get(upload);
    if (parts === undefined) {
      response.writeHead(404).end("<Error><Code>NoSuchUpload</Code></Error>");
      return;
    }
    if (request.method === "PUT") {
      parts.set(Number(url.searchParams.get("partNumber")), body);
      response.writeHead(200, { etag: `"${sha256(body)}"` }).end();
      return;
    }
    this.#uploads.delete(upload);
    if (request.method === "DELETE") {
      response.writeHead(204).end();
      return;
    }
    const bytes = Buffer.concat([...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part));
    this.#objects.set(key, { bytes, changed: new Date() });
    const result = `<CompleteMultipartUploadResult><Key>${key}</Key><ETag>"${upload}"</ETag></CompleteMultipartUploadResult>`;
    response.writeHead(200, { "content-type": "application/xml" }).end(result);
  }

  #list(response: ServerResponse, url: URL): void {
    const prefix = (url.searchParams.get("prefix") ?? "").replace(/^\//, "");
    const after = url.searchParams.get("continuation-token") ?? "";
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, PAGE);
    const contents = page.map((key) => {
      const { bytes, changed } = this.#objects.get(key) ?? { bytes: Buffer.alloc(0), changed: new Date() };
      return `<Contents><Key>${key}</Key><Size>${bytes.byteLength}</Size><LastModified>${changed.toISOString()}</LastModified><ETag>"x"</ETag></Contents>`;
    });
    const more = keys.length > PAGE ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    const truncated = `<IsTruncated>${keys.length > PAGE}</IsTruncated>`;
    const result = `<ListBucketResult>${truncated}${contents.join("")}${more}</ListBucketResult>`;
    response.writeHead(200, { "content-type": "application/xml" }).end(result);
  }
}

/** Signature version 4, in the header. */
function isSigned({ headers, method = "" }: IncomingMessage, url: URL, body: Buffer): boolean {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? "",
    );
  const [, id, date = "", region = "", names = "", signature] = match ?? [];
  const hash = String(headers["x-amz-content-sha256"] ?? "");
  if (id !== KEY.id || region !== REGION || (hash !== "UNSIGNED-PAYLOAD" && hash !== sha256(body))) return false;
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const signed = names.split(";").map((name) => `${name}:${String(headers[name] ?? "").trim()}\n`);
  const canonical = [method, url.pathname, query.join("&"), signed.join(""), names, hash].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = [date, region, "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${KEY.secret}`);
  return hmac(key, text).toString("hex") === signature;
}
