import type { MessageType } from "./message.ts";

/** One method of a service. Whether it streams is up to who calls and who serves it: the bytes are the same. */
export interface Method<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

export function method<Request, Response>(
  service: string,
  name: string,
  request: MessageType<Request>,
  response: MessageType<Response>,
): Method<Request, Response> {
  return { path: `/${service}/${name}`, request, response };
}
