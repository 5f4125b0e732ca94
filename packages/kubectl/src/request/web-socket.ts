import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { parseJson, textAt } from "@boxship/api";
import { errorMessage, Unavailable } from "@boxship/base";
import type { ConnectionOptions } from "@boxship/client";
import type { WebSocket } from "ws";
import { Refusal } from "../failure.ts";

export interface WebSocketOptions {
  /** From the one that is wanted most. */
  readonly protocols: readonly string[];
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/**
 * Opens a WebSocket to a server of the API.
 *
 * @throws Unavailable, Refusal with what the server says instead
 */
export async function openWebSocket(
  options: ConnectionOptions,
  target: string,
  { protocols, headers }: WebSocketOptions,
): Promise<WebSocket> {
  const { WebSocket: Client } = await import("ws");
  const url = urlOf(options, target).replace(/^http/, "ws");
  const socket = new Client(url, [...protocols], {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    ...tlsOf(options),
    headers: { ...headers, ...authorizationOf(options) },
  });
  return await new Promise((resolve, reject) => {
    socket.once("unexpected-response", (_request, response) => {
      refusalOf(response).then(reject, reject);
    });
    socket.once("open", () => resolve(socket));
    socket.on("error", (error) => reject(new Unavailable(errorMessage(error), { cause: error })));
  });
}

/**
 * Turns a connection to a server of the API into one of SPDY/3.1.
 *
 * @throws Unavailable, Refusal with what the server says instead
 */
export async function openSpdy(
  options: ConnectionOptions,
  target: string,
  { protocols, headers }: WebSocketOptions,
): Promise<Duplex> {
  const asked = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": [...protocols] };
  return await new Promise((resolve, reject) => {
    const sent = request(urlOf(options, target), {
      method: "POST",
      ...tlsOf(options),
      headers: { ...headers, ...authorizationOf(options), ...asked },
    });
    sent.once("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.once("response", (response) => {
      refusalOf(response).then(reject, reject);
    });
    sent.once("error", (error) => reject(new Unavailable(errorMessage(error), { cause: error })));
    sent.end();
  });
}

export const urlOf = ({ server }: ConnectionOptions, target: string): string => `${server.replace(/\/$/, "")}${target}`;

export const authorizationOf = ({ token }: ConnectionOptions) =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

export function tlsOf({ authority, certificate, key, serverName, insecure = false }: ConnectionOptions) {
  return {
    rejectUnauthorized: !insecure,
    ...(authority !== undefined && { ca: authority }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

async function refusalOf(response: IncomingMessage): Promise<Error> {
  let text = "";
  for await (const chunk of response) text += String(chunk);
  let message = text;
  try {
    message = textAt(parseJson(text), "message") || text;
  } catch {
    // It is no Status: it is shown as it is.
  }
  return new Refusal(`unable to upgrade connection: ${message}`);
}
