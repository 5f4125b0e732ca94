import type { Call } from "../http/call.ts";

/** `GET /metrics`, for whoever may use the registry at all. */
export async function metricsGet(call: Call): Promise<void> {
  await call.allow("pull", "");
  const text = await call.metrics.text();
  call.response.writeHead(200, {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
    "content-length": String(Buffer.byteLength(text)),
  });
  call.response.end(text);
}
