import { readFile } from "node:fs/promises";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import {
  errorMessage,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unavailable,
} from "@boxship/base/errors";

/** How a server is reached, and as whom. Files are of PEM. */
export interface RemoteAccess {
  /** Empty: nobody. */
  readonly username: string;
  readonly password: string;
  /** Whether the password goes to other hosts than the repository's, too. */
  readonly passCredentials: boolean;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Whether any certificate will do. */
  readonly insecure: boolean;
}

interface AccessFlags {
  readonly username: string;
  readonly password: string;
  readonly "pass-credentials": boolean;
  readonly "ca-file": string;
  readonly "cert-file": string;
  readonly "key-file": string;
  readonly "insecure-skip-tls-verify": boolean;
}

export const accessOf = (flags: AccessFlags): RemoteAccess => ({
  username: flags.username,
  password: flags.password,
  passCredentials: flags["pass-credentials"],
  caFile: flags["ca-file"],
  certFile: flags["cert-file"],
  keyFile: flags["key-file"],
  insecure: flags["insecure-skip-tls-verify"],
});

export interface Fetched {
  /** Undefined: it has not changed. */
  readonly body: Buffer | undefined;
  readonly etag: string;
}

export interface FetchOptions {
  /** @default nobody, with the system's certificates */
  readonly access?: RemoteAccess;
  /** Of what is there already. @default "" */
  readonly etag?: string;
  /** Milliseconds for all of it. @default 120,000 */
  readonly timeout?: number;
}

const MOST_REDIRECTS = 10;

/**
 * Fetches a file over HTTP, up to a size in bytes.
 *
 * @throws NotFound, PermissionDenied, Unavailable, ResourceExhausted, InvalidArgument
 */
export async function fetchBounded(url: string, most: number, options: FetchOptions = {}): Promise<Fetched> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new InvalidArgument(`could not find protocol handler for: ${url}`);
  }
  const signal = AbortSignal.timeout(options.timeout ?? 120_000);
  const answer = await follow(new URL(url), options, signal);
  const status = answer.statusCode ?? 0;
  const fail = `failed to fetch ${url} : ${status} ${answer.statusMessage ?? ""}`;
  if (status !== 200) answer.destroy();
  if (status === 304) return { body: undefined, etag: options.etag ?? "" };
  if (status === 404) throw new NotFound(fail);
  if (status === 401 || status === 403) throw new PermissionDenied(fail);
  if (status !== 200) throw new Unavailable(fail);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer) {
      if ((size += (chunk as Buffer).length) > most) throw new ResourceExhausted(`${url} is larger than ${most} bytes`);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof ResourceExhausted) throw error;
    throw new Unavailable(`${url} broke off: ${errorMessage(error)}`, { cause: error });
  }
  return { body: Buffer.concat(chunks), etag: answer.headers.etag ?? "" };
}

async function follow(first: URL, options: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  let url = first;
  for (let steps = 0; steps <= MOST_REDIRECTS; steps++) {
    // Credentials stay with the server that they are for.
    const mayTell = url.host === first.host || options.access?.passCredentials === true;
    const answer = await ask(url, options, mayTell, signal);
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined) return answer;
    answer.destroy();
    if (!URL.canParse(location, url)) throw new Unavailable(`${url.href} leads to ${JSON.stringify(location)}`);
    url = new URL(location, url);
    if (url.protocol !== "https:" && (url.protocol !== "http:" || first.protocol === "https:")) {
      throw new Unavailable(`${first.href} leads to ${url.href}, which is not safe`);
    }
  }
  throw new Unavailable(`${first.href} leads on more than ${MOST_REDIRECTS} times`);
}

async function ask(
  url: URL,
  { access, etag = "" }: FetchOptions,
  mayTell: boolean,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers = {
    "user-agent": "Helm/4.0.0",
    ...(etag !== "" && { "if-none-match": etag }),
    ...(access !== undefined && access.username !== "" && mayTell && { authorization: basic(access) }),
  };
  const tls = url.protocol === "https:" && access !== undefined ? await tlsOf(access) : {};
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const get = url.protocol === "https:" ? getHttps : getHttp;
  get(url, { headers, agent: false, signal, ...tls }, resolve).once("error", (error) => {
    reject(new Unavailable(`cannot reach ${url.href}: ${errorMessage(error)}`, { cause: error }));
  });
  return await promise;
}

const basic = ({ username, password }: RemoteAccess): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

async function tlsOf({ caFile, certFile, keyFile, insecure }: RemoteAccess) {
  const [ca, cert, key] = await Promise.all([pem(caFile), pem(certFile), pem(keyFile)]);
  return {
    rejectUnauthorized: !insecure,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** A file of certificates or of a key; undefined where none is named. */
export async function pem(path: string): Promise<string | undefined> {
  if (path === "") return undefined;
  return await readFile(path, "utf8").catch((error: unknown) => {
    throw new InvalidArgument(`cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  });
}
