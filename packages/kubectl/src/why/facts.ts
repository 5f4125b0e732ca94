import { type KubeObject, listAt, textAt } from "@boxship/api";
import { eventsOf } from "../describe/events.ts";
import { findObject, type ListQuery, listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";

const LOG_LINES = 5;

/** What is looked at to find causes. What may not be read is not there. */
export class Facts {
  readonly #session: Session;
  /** Uids of what is being explained: no cause is its own. */
  readonly #seen = new Set<string>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether an object is explained for the first time. */
  first({ metadata: { uid = "" } }: KubeObject): boolean {
    if (this.#seen.has(uid)) return false;
    this.#seen.add(uid);
    return true;
  }

  async find(group: string, resource: string, namespace: string, name: string): Promise<KubeObject | undefined> {
    const mapping = (await this.#session.mapper()).known(group, resource);
    return await findObject(this.#session, { mapping, namespace: mapping.namespaced ? namespace : "", name }).catch(
      () => undefined,
    );
  }

  async list(group: string, resource: string, namespace = "", query: ListQuery = {}): Promise<readonly KubeObject[]> {
    const mapping = (await this.#session.mapper()).known(group, resource);
    return await listObjects(this.#session, mapping, namespace, query).catch(() => []);
  }

  /** Objects that another one controls. */
  async controlledBy(owner: KubeObject, group: string, resource: string): Promise<readonly KubeObject[]> {
    const { namespace = "", uid } = owner.metadata;
    const all = await this.list(group, resource, namespace);
    return all.filter(({ metadata }) => metadata.ownerReferences?.some((one) => one.uid === uid && one.controller));
  }

  /** The newest first. */
  async events(object: KubeObject): Promise<readonly KubeObject[]> {
    return (await eventsOf(this.#session, object)).toReversed();
  }

  /** What was told last for one of these reasons. */
  async told(object: KubeObject, ...reasons: readonly string[]): Promise<string | undefined> {
    const found = (await this.events(object)).find((event) => reasons.includes(textAt(event, "reason")));
    return found === undefined ? undefined : textAt(found, "message").trim();
  }

  /** The last lines that a container wrote. */
  async log({ metadata: { namespace, name } }: KubeObject, container: string, previous: boolean): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/log`;
    try {
      const api = await this.#session.api();
      const reply = await api.open("GET", path, { query: { container, previous, tailLines: LOG_LINES } });
      const parts: Buffer[] = [];
      for await (const part of reply.stream) parts.push(part as Buffer);
      return reply.status === 200 ? Buffer.concat(parts).toString("utf8").trimEnd() : "";
    } catch {
      return "";
    }
  }
}

/** `pod/web`, `deployment.apps/web` without its group. */
export const nameOf = ({ kind, metadata }: KubeObject): string => `${kind.toLowerCase()}/${metadata.name}`;

export function conditionOf(object: KubeObject, type: string) {
  return listAt(object, "status", "conditions").find((one) => textAt(one, "type") === type);
}

/** `-n NAMESPACE` for commands, where it is not the default one. */
export const within = ({ metadata: { namespace = "" } }: KubeObject): string =>
  namespace === "" || namespace === "default" ? "" : ` -n ${namespace}`;
