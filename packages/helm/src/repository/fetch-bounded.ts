import { InvalidArgument, NotFound, PermissionDenied, ResourceExhausted, Unavailable } from "@boxship/base/errors";

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface Fetched {
  /** Undefined: it has not changed. */
  readonly body: Buffer | undefined;
  readonly etag: string;
}

/**
 * Fetches a file over HTTP, up to a size.
 *
 * @param etag of what is there already
 * @throws NotFound, PermissionDenied, Unavailable, ResourceExhausted, InvalidArgument
 */
export async function fetchBounded(url: string, most: number, login?: Login, etag = ""): Promise<Fetched> {
  if (!/^https?:\/\//.test(url)) throw new InvalidArgument(`could not find protocol handler for: ${url}`);
  const headers = new Headers();
  if (login !== undefined && login.username !== "") {
    headers.set("authorization", `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`);
  }
  if (etag !== "") headers.set("if-none-match", etag);
  let answer: Response;
  try {
    answer = await fetch(url, { headers, signal: AbortSignal.timeout(120_000) });
  } catch (error) {
    throw new Unavailable(
      `cannot reach ${url}: ${(error as Error).cause instanceof Error ? ((error as Error).cause as Error).message : (error as Error).message}`,
      { cause: error },
    );
  }
  const fail = `failed to fetch ${url} : ${answer.status} ${answer.statusText}`;
  if (answer.status === 304) return { body: undefined, etag };
  if (answer.status === 404) throw new NotFound(fail);
  if (answer.status === 401 || answer.status === 403) throw new PermissionDenied(fail);
  if (!answer.ok || answer.body === null) throw new Unavailable(fail);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    if ((size += chunk.length) > most) throw new ResourceExhausted(`${url} is larger than ${most} bytes`);
    chunks.push(chunk);
  }
  return { body: Buffer.concat(chunks), etag: answer.headers.get("etag") ?? "" };
}
