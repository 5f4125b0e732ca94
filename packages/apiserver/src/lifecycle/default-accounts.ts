import { statusOf, textAt } from "@boxship/api";
import { asBoxshipError, type Timer } from "@boxship/base";
import { ensureObjects } from "../bootstrap/ensure-objects.ts";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { builtinKind, readObject } from "../storage/read-objects.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { removeTokenSecrets } from "./remove-token-secrets.ts";

const AGAIN_MS = 1000;
const ROOT_CERTIFICATE = "kube-root-ca.crt";
const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/**
 * Gives every namespace what pods in it need: the service account `default`, and the authority's certificate. Both come
 * back when they are deleted. Upstream has two controllers for that.
 */
export class DefaultAccounts implements Disposable {
  readonly #context: ServerContext;
  readonly #authority: string;
  readonly #timers = new Set<Timer>();
  readonly #following: Disposable[] = [];
  #disposed = false;

  private constructor(context: ServerContext, authority: string) {
    this.#context = context;
    this.#authority = authority;
  }

  /** @param authority PEM */
  static async open(context: ServerContext, authority: string): Promise<DefaultAccounts> {
    const accounts = new DefaultAccounts(context, authority);
    await accounts.#follow("namespaces", (name, deleted) => !deleted && accounts.#settle(name));
    await accounts.#follow("serviceaccounts", (name, deleted) => {
      const [namespace = "", own] = name.split("/");
      if (deleted) accounts.#forgetTokens(namespace);
      if (deleted && own === "default") accounts.#settle(namespace);
    });
    await accounts.#follow("configmaps", (name) => {
      const [namespace = "", own] = name.split("/");
      if (own === ROOT_CERTIFICATE) accounts.#settle(namespace);
    });
    const namespaces = await context.objects.freshCache(builtinKind(context, "", "namespaces"));
    const names = [...namespaces.between("", "")].map(({ key }) => key.slice(key.lastIndexOf("/") + 1));
    await Promise.all(names.map((name) => accounts.#ensure(name)));
    return accounts;
  }

  async #follow(resource: string, changed: (name: string, deleted: boolean) => void): Promise<void> {
    const kind = builtinKind(this.#context, "", resource);
    const prefix = objectKey(kind).length;
    this.#following.push(
      await followResource(this.#context, kind, {
        changed: ({ key, deleted }) => changed(key.slice(prefix), deleted),
      }),
    );
  }

  #settle(namespace: string): void {
    this.#ensure(namespace).catch((error: unknown) => {
      if (this.#disposed) return;
      const reason = statusOf(asBoxshipError(error))?.reason;
      // The namespace is going, or gone.
      if (reason === "Forbidden" || reason === "NotFound") return;
      this.#context.logger.warn(`namespace ${namespace} has no default service account yet`, { error });
      this.#later(() => this.#settle(namespace));
    });
  }

  /** Secrets with tokens of accounts that are no longer there. */
  #forgetTokens(namespace: string): void {
    removeTokenSecrets(this.#context, namespace).catch((error: unknown) => {
      if (!this.#disposed) this.#context.logger.warn(`tokens of namespace ${namespace} are still there`, { error });
    });
  }

  async #ensure(namespace: string): Promise<void> {
    const found = await readObject(this.#context, "", "namespaces", { name: namespace });
    if (found === undefined || found.metadata.deletionTimestamp !== undefined || this.#disposed) return;
    await ensureObjects(this.#context, [
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } },
      { apiVersion: "v1", kind: "ConfigMap", ...this.#certificate(namespace) },
    ]);
    const name = ROOT_CERTIFICATE;
    const kept = await readObject(this.#context, "", "configmaps", { name, namespace });
    if (kept === undefined || textAt(kept, "data", "ca.crt") === this.#authority) return;
    const kind = builtinKind(this.#context, "", "configmaps");
    await modifyObject(this.#context, systemRequest(kind, namespace, name), SYSTEM_WRITE, {
      change: (old) => {
        delete old.metadata.resourceVersion;
        return { ...old, data: this.#certificate(namespace).data };
      },
      track: () => {},
    });
  }

  #certificate(namespace: string) {
    const annotations = { "kubernetes.io/description": DESCRIPTION };
    return { metadata: { name: ROOT_CERTIFICATE, namespace, annotations }, data: { "ca.crt": this.#authority } };
  }

  #later(what: () => void): void {
    if (this.#disposed) return;
    const timer = this.#context.clock.setTimeout(AGAIN_MS, () => {
      this.#timers.delete(timer);
      what();
    });
    this.#timers.add(timer);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const following of this.#following) following[Symbol.dispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}
