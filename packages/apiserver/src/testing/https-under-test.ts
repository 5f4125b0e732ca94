import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { issueCertificate, makeAuthority } from "../certificates/issue-certificate.ts";
import type { Loose } from "./api-under-test.ts";

export interface HttpsUnderTest extends AsyncDisposable {
  readonly url: string;
  /** PEM of the authority of its certificate. */
  readonly authority: string;
  /** Bodies that were sent to it, parsed. */
  readonly received: Loose[];
}

/** Another server, which answers with JSON: an identity provider, a webhook. */
export async function startHttps(answer: (path: string, body: Loose) => unknown): Promise<HttpsUnderTest> {
  const authority = await makeAuthority("others", Date.now());
  const pair = await issueCertificate(
    authority,
    { commonName: "other", usage: "server", names: ["localhost"], addresses: ["127.0.0.1"] },
    Date.now(),
  );
  const received: Loose[] = [];
  const server = createServer({ key: pair.key, cert: pair.certificate }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const body: Loose = text === "" ? undefined : JSON.parse(text);
      received.push(body);
      const answered = answer(request.url ?? "/", body);
      response.writeHead(answered === undefined ? 404 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(answered));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    authority: authority.certificate,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
