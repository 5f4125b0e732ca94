import { readBody } from "./body.ts";
import type { Reply } from "./failures.ts";
import { type HttpResponse, networkFailure } from "./http.ts";

/** Why an exchange did not come to its end, in a form that can be posted between threads. */
export interface ExchangeFailure {
  readonly code: string;
  readonly message: string;
}

const ERROR_BODY_LIMIT = 64 * 1024;

/** An answer with what explains it, if that can be had. */
export async function smallReply(response: HttpResponse): Promise<Reply> {
  const { status, headers } = response;
  try {
    return { status, headers, body: await readBody(response, ERROR_BODY_LIMIT) };
  } catch {
    // The status says enough when its explanation is cut or endless.
    response.body.destroy();
    return { status, headers, body: new Uint8Array() };
  }
}

/** What stands for an answer when there is none. */
export function noReply(error: unknown): Reply & { readonly failure: ExchangeFailure } {
  return { status: 0, headers: {}, body: new Uint8Array(), failure: describeFailure(error) };
}

export function describeFailure(error: unknown): ExchangeFailure {
  const { code, message } = networkFailure(error);
  return { code, message };
}

export interface AskedRange {
  /** Where the bytes that were asked for begin. */
  readonly offset: number;
  /** Of the whole blob. */
  readonly size: number;
}

/** Where a successful answer's first byte belongs, or what is wrong with it. */
export function startOfBody(asked: AskedRange, { status, headers }: HttpResponse): number | ExchangeFailure {
  const start = status === 206 ? rangeStart(asked, headers["content-range"] ?? "") : 0;
  if (start === undefined) return { code: "ERANGE", message: "the server sent another range than was asked for" };
  const announced = headers["content-length"];
  if (announced !== undefined && Number(announced) !== asked.size - start) {
    const message = `the server announced ${start + Number(announced)} bytes instead of ${asked.size}`;
    return { code: "ESIZE", message };
  }
  return start;
}

function rangeStart({ offset, size }: AskedRange, header: string): number | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header);
  if (match === null || Number(match[1]) !== offset) return undefined;
  return match[3] === "*" || Number(match[3]) === size ? offset : undefined;
}

/** What is wrong with a body that ended after so many bytes of the blob. */
export function shortfall(written: number, size: number): ExchangeFailure | undefined {
  if (written === size) return undefined;
  return { code: "ECONNRESET", message: `the connection ended after ${written} of ${size} bytes` };
}
