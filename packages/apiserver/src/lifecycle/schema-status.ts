import { type KubeObject, listAt, statusOf, textAt, timestamp } from "@boxship/api";
import { asBoxshipError } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { builtinKind, readObject } from "../storage/read-objects.ts";
import { modifyObject } from "../verbs/modify-object.ts";

const GROUP = "flowcontrol.apiserver.k8s.io";
const SCHEMAS = "flowschemas";
const LEVELS = "prioritylevelconfigurations";

/** Tells in flow schemas whether the priority level that they name is there. */
export class SchemaStatus implements Disposable {
  readonly #context: ServerContext;
  readonly #following: Disposable[] = [];
  #disposed = false;

  private constructor(context: ServerContext) {
    this.#context = context;
  }

  static async open(context: ServerContext): Promise<SchemaStatus> {
    const status = new SchemaStatus(context);
    // Levels at first: schemas that are there are looked at when both are known.
    status.#following.push(
      await followResource(context, builtinKind(context, GROUP, LEVELS), {
        changed({ previous, deleted }) {
          if (deleted || previous === undefined) status.#checkAll();
        },
      }),
      await followResource(context, builtinKind(context, GROUP, SCHEMAS), {
        begin: () => status.#checkAll(),
        changed({ object, deleted }) {
          if (!deleted) void status.#check(object.parse());
        },
      }),
    );
    return status;
  }

  #checkAll(): void {
    const schemas = this.#context.objects.loadedCache(builtinKind(this.#context, GROUP, SCHEMAS));
    for (const schema of schemas?.between("", "") ?? []) void this.#check(schema.parse());
  }

  async #check(schema: KubeObject): Promise<void> {
    const { name = "" } = schema.metadata;
    const level = textAt(schema, "spec", "priorityLevelConfiguration", "name");
    try {
      const isThere = (await readObject(this.#context, GROUP, LEVELS, { name: level })) !== undefined;
      if (this.#disposed || isTold(schema, level, isThere)) return;
      await this.#tell(name, level, isThere);
    } catch (error) {
      if (this.#disposed || statusOf(asBoxshipError(error))?.reason === "NotFound") return;
      this.#context.logger.warn(`the status of flow schema ${name} could not be told`, { error });
    }
  }

  async #tell(name: string, level: string, isThere: boolean): Promise<void> {
    const request = systemRequest(builtinKind(this.#context, GROUP, SCHEMAS), "", name, "status");
    await modifyObject(this.#context, request, SYSTEM_WRITE, {
      change: (old) => {
        delete old.metadata.resourceVersion;
        // Another level is named now: that change is looked at by itself.
        if (textAt(old, "spec", "priorityLevelConfiguration", "name") !== level) return old;
        const conditions = listAt(old, "status", "conditions");
        const before = danglingOf(old);
        const status = isThere ? "False" : "True";
        const now = timestamp(this.#context.clock.now());
        const condition = {
          type: "Dangling",
          status,
          lastTransitionTime: textAt(before, "status") === status ? textAt(before, "lastTransitionTime") : now,
          reason: isThere ? "Found" : "NotFound",
          message: messageOf(level, isThere),
        };
        return { ...old, status: { conditions: [...conditions.filter((one) => one !== before), condition] } };
      },
      track: () => {},
    });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const following of this.#following) following[Symbol.dispose]();
  }
}

const danglingOf = (schema: KubeObject) =>
  listAt(schema, "status", "conditions").find((one) => textAt(one, "type") === "Dangling");

function isTold(schema: KubeObject, level: string, isThere: boolean): boolean {
  return textAt(danglingOf(schema), "message") === messageOf(level, isThere);
}

/** In upstream's words. */
function messageOf(level: string, isThere: boolean): string {
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return isThere ? `${named} and it exists` : `${named} but there is no such object`;
}
