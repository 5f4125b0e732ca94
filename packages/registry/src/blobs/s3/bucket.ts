import type { S3Client } from "@aws-sdk/client-s3";
import { Unavailable } from "@boxship/base";

export interface BucketOptions {
  /** With the bucket: `https://s3.example/bucket`. */
  readonly endpoint: string;
  /** @default "us-east-1" */
  readonly region?: string;
  /** @default what the AWS client finds: its environment variables, shared files, the machine's role */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

/** Part of a list of objects. */
export interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly size: number; readonly changed: number }[];
  readonly next: string | undefined;
}

/** An upload in parts. */
export interface PartedUpload {
  /** Parts come one after the other. */
  add(bytes: Uint8Array): Promise<void>;
  complete(): Promise<void>;
  abort(): Promise<void>;
}

/** What a registry does with a bucket. Each method is tried again where the store does not answer, and then Unavailable. */
export interface Bucket extends Disposable {
  /** Undefined where there is no such object. */
  size(key: string): Promise<number | undefined>;
  /** The bytes from `from` on, as they arrive. */
  body(key: string, from: number): Promise<AsyncIterable<Uint8Array>>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  parts(key: string): Promise<PartedUpload>;
  list(prefix: string, token: string | undefined): Promise<ObjectPage>;
  remove(key: string): Promise<void>;
}

const ATTEMPTS = 4;
const CONNECT = 5000;
/** For an answer to begin, and between its bytes. */
const ANSWER = 60_000;
const TYPE = "application/octet-stream";

/** The client is loaded here: only who has a bucket pays for it. */
export async function openBucket(options: BucketOptions): Promise<Bucket> {
  const aws = await import("@aws-sdk/client-s3");
  const { region = "us-east-1", accessKeyId, secretAccessKey } = options;
  const [, endpoint = "", Bucket = ""] = /^(.*)\/([^/]+)\/*$/.exec(options.endpoint) ?? [];
  const keys =
    accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  const client = new aws.S3Client({
    endpoint,
    region,
    ...(keys !== undefined && { credentials: keys }),
    forcePathStyle: true,
    maxAttempts: ATTEMPTS,
    // Blobs have digests of their own, and many stores know no others.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT,
      requestTimeout: ANSWER,
      throwOnRequestTimeout: true,
      socketTimeout: ANSWER,
    },
  });
  const send: S3Client["send"] = client.send.bind(client);
  return {
    async size(Key) {
      try {
        return (await send(new aws.HeadObjectCommand({ Bucket, Key }))).ContentLength ?? 0;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw outage(error);
      }
    },
    body: (Key, from) =>
      reach(async () => {
        const { Body } = await send(new aws.GetObjectCommand({ Bucket, Key, Range: `bytes=${from}-` }));
        return Body as AsyncIterable<Uint8Array>;
      }),
    put: (Key, Body) =>
      reach(async () => void (await send(new aws.PutObjectCommand({ Bucket, Key, Body, ContentType: TYPE })))),
    parts: (Key) =>
      reach(async () => {
        const { UploadId } = await send(new aws.CreateMultipartUploadCommand({ Bucket, Key, ContentType: TYPE }));
        const upload = { Bucket, Key, UploadId };
        const Parts: { readonly ETag: string | undefined; readonly PartNumber: number }[] = [];
        return {
          add: (Body) =>
            reach(async () => {
              const PartNumber = Parts.length + 1;
              const { ETag } = await send(new aws.UploadPartCommand({ ...upload, PartNumber, Body }));
              Parts.push({ ETag, PartNumber });
            }),
          complete: () =>
            reach(async () => {
              await send(new aws.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
            }),
          abort: () => reach(async () => void (await send(new aws.AbortMultipartUploadCommand(upload)))),
        };
      }),
    list: (Prefix, ContinuationToken) =>
      reach(async () => {
        const page = await send(new aws.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
        const objects = (page.Contents ?? []).map(({ Key = "", Size = 0, LastModified }) => {
          return { key: Key, size: Size, changed: LastModified?.getTime() ?? 0 };
        });
        return { objects, next: page.NextContinuationToken };
      }),
    remove: (Key) => reach(async () => void (await send(new aws.DeleteObjectCommand({ Bucket, Key })))),
    [Symbol.dispose]: () => client.destroy(),
  };
}

/** @throws Unavailable: it is not whoever asks the registry that is wrong */
async function reach<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw outage(error);
  }
}

function outage(error: unknown): Unavailable {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Unavailable(`the object store does not do it: ${said}`, {
    cause: error,
    subject: { kind: "object store", name: "s3" },
  });
}

function isMissing(error: unknown): boolean {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode === 404;
}
