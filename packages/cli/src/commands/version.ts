import { errorMessage } from "@boxship/base/errors";
import {
  parseJson,
  pointerTo,
  stringSliceType,
  stringType,
  structOf,
  Template,
  templateFunctions,
  typed,
  type Value,
} from "@boxship/template";
import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { ansiTime } from "../format/go-time.ts";
import { inspectType } from "../format/inspect-schema.ts";
import { alignTabs } from "../format/tab-writer.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";
import { API_VERSION, architecture, VERSION } from "../version.ts";

const text = (name: string, key = name) => ({ name, key, type: stringType, omitEmpty: true });

const clientType = structOf("system.clientVersion", [
  text("Version"),
  text("APIVersion", "ApiVersion"),
  text("DefaultAPIVersion"),
  text("GitCommit"),
  text("GoVersion"),
  text("Os"),
  text("Arch"),
  text("BuildTime"),
  text("Context"),
]);

const versionType = structOf("system.versionInfo", [
  { name: "Client", type: clientType },
  { name: "Server", type: pointerTo(inspectType("types.Version")) },
]);

const TEMPLATE = `Client:
 Version:\t{{.Client.Version}}
 API version:\t{{.Client.APIVersion}}
 Node version:\t{{.Client.GoVersion}}
 OS/Arch:\t{{.Client.Os}}/{{.Client.Arch}}

{{- if ne .Server nil}}{{with .Server}}

Server:{{if ne .Platform.Name ""}} {{.Platform.Name}}{{end}}
 {{- range $component := .Components}}
 {{$component.Name}}:
  Version:\t{{.Version}}
  {{- range $key := detailsOf $component}}
  {{$key}}:\t{{index $component.Details $key}}
  {{- end}}
 {{- end}}
 {{- end}}{{- end}}`;

interface ComponentVersion {
  readonly Details?: Readonly<Record<string, string>> | null;
}

const functions = {
  ...templateFunctions,
  detailsOf: {
    params: [inspectType("types.ComponentVersion")],
    call: (component: Value) =>
      typed(stringSliceType, Object.keys((component.raw as ComponentVersion).Details ?? {}).toSorted()),
  },
};

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the version information",
  flags: { format: inspectFormatFlag },
  async run(context, { flags }) {
    const template = parse(flags.format);
    const { server, failure } = await askServer(context);
    const client = {
      Version: VERSION,
      ApiVersion: API_VERSION,
      DefaultAPIVersion: API_VERSION,
      GoVersion: process.version,
      Os: process.platform,
      Arch: architecture(),
      Context: "default",
    };
    const output = render(template, typed(versionType, { Client: client, Server: withLocalTimes(server) }));
    context.stdout.write(alignTabs(`${output}\n`, { minWidth: 20, padding: 1 }));
    if (failure !== undefined) throw failure;
  },
});

function render(template: Template, data: Value): string {
  try {
    return template.execute(data);
  } catch (error) {
    throw new Failure(errorMessage(error), { cause: error });
  }
}

interface ServerVersion {
  readonly Components?: readonly (ComponentVersion & { readonly Name?: string })[] | null;
}

/** The engine's own build time as `date` prints it. */
function withLocalTimes(server: unknown): unknown {
  const { Components } = (server ?? {}) as ServerVersion;
  if (!Components) return server;
  const shown = Components.map((component) => {
    const built = component.Details?.["BuildTime"];
    const date = built === undefined || component.Name !== "Engine" ? undefined : ansiTime(built);
    return date === undefined ? component : { ...component, Details: { ...component.Details, BuildTime: date } };
  });
  return { ...(server as ServerVersion), Components: shown };
}

function parse(format: string): Template {
  try {
    const source = format === "" ? TEMPLATE : format === "json" ? "{{json .}}" : format;
    return new Template("version", { functions }).parse(source);
  } catch (error) {
    throw new Failure(`template parsing error: ${errorMessage(error)}`, { status: 64, cause: error });
  }
}

/** The engine's versions; what is known of the client is printed even if the engine does not answer. */
async function askServer({ api }: Context): Promise<{ readonly server: unknown; readonly failure?: Failure }> {
  try {
    return { server: parseJson(await api.text("GET", "/version")) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { server: null, failure: error };
  }
}
