import { fork } from "node:child_process";
import { once } from "node:events";
import { issueCertificate, makeAuthority } from "../certificates/issue-certificate.ts";
import type { Loose } from "./api-under-test.ts";

/** A webhook in a process of its own, see `webhook-process.ts` for what its paths say. */
export interface WebhookUnderTest extends AsyncDisposable {
  readonly port: number;
  /** In base64, of the authority that vouches for it. */
  readonly caBundle: string;
  /** What it was asked, in order. */
  readonly received: { readonly path: string; readonly url: string; readonly host: string; readonly review: Loose }[];
}

export async function startWebhook(): Promise<WebhookUnderTest> {
  const authority = await makeAuthority("webhooks", Date.now());
  const names = ["localhost", "hook.default.svc"];
  const request = { commonName: "hook", usage: "server", names, addresses: ["127.0.0.1"] } as const;
  const { key, certificate } = await issueCertificate(authority, request, Date.now());
  const child = fork(new URL("webhook-process.ts", import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const received: WebhookUnderTest["received"] = [];
  child.send({ key, cert: certificate });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  child.on("message", (message: WebhookUnderTest["received"][number]) => void received.push(message));
  return {
    port,
    caBundle: Buffer.from(authority.certificate).toString("base64"),
    received,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
