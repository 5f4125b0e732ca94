import { errorMessage } from "@boxship/base/errors";
import type { WorkingView } from "@boxship/build";
import { Template, templateFunctions } from "@boxship/template";
import { isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah, imageName } from "../../buildah/buildah-command.ts";
import { builderInfo, templateInfo } from "../../buildah/builder-info.ts";
import { workingPath } from "../../buildah/working-api.ts";
import { type Context, print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { text } from "../../flags/flag.ts";
import { fullName, parseImageName } from "../../format/image-name.ts";
import { imagePath } from "../../shared/container-path.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER | IMAGE",
  summary: "Inspect the configuration of a working container or image",
  flags: {
    format: text("Use format as a Go template to format the output", { short: "f" }),
    type: text('Look at the item of the specified type ("container" or "image") and name', {
      short: "t",
      initial: "container",
      choices: ["container", "image"],
    }),
  },
  async run(context, { flags, operands: [name, ...more] }) {
    if (name === undefined) throw new Failure("container or image name must be specified");
    if (more.length > 0) throw new Failure("too many arguments specified");
    const view =
      flags.type === "container"
        ? ((await container(context, name)) ?? (await image(context, name)))
        : await image(context, name);
    const info = builderInfo(view);
    if (flags.format === "") print(context, JSON.stringify(info, undefined, 4));
    else context.stdout.write(execute(flags.format, templateInfo(info)) + (context.stdout.isTTY ? "\n" : ""));
  },
});

function execute(format: string, info: Readonly<Record<string, unknown>>): string {
  try {
    return new Template("", { functions: templateFunctions }).parse(format).execute(info);
  } catch (error) {
    throw new Failure(`Template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}

async function container(context: Context, name: string): Promise<WorkingView | undefined> {
  try {
    return await context.api.json<WorkingView>("GET", workingPath(name));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

interface InspectedImage {
  readonly Id: string;
  readonly Created: string;
  readonly Author?: string;
  readonly Architecture: string;
  readonly Os: string;
  readonly RepoTags?: readonly string[];
  readonly RepoDigests?: readonly string[];
  readonly Config?: Readonly<Record<string, unknown>>;
  readonly RootFS: { readonly Layers?: readonly string[] };
}

interface History {
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Comment: string;
  readonly Size: number;
}

async function image(context: Context, name: string): Promise<WorkingView> {
  const local = imageName(name);
  let found: InspectedImage;
  try {
    found = await context.api.json<InspectedImage>("GET", imagePath(local, "/json"));
  } catch (error) {
    if (isNotFound(error)) throw new Failure(`importing settings: ${name}: image not known`, { cause: error });
    throw error;
  }
  const history = await context.api.json<readonly History[]>("GET", imagePath(found.Id, "/history"));
  const { Id, Created, Author = "", Architecture, Os, Config = {}, RootFS, RepoTags = [], RepoDigests = [] } = found;
  const tag = parseImageName(RepoTags[0] ?? "");
  const entries = Object.entries(Config).filter(([, value]) => value !== null && value !== "" && !isEmpty(value));
  return {
    id: "",
    name: "",
    fromImage: tag === undefined ? Id.replace(/^sha256:/, "") : fullName(tag),
    fromImageId: Id,
    fromImageDigest: RepoDigests[0]?.split("@")[1] ?? "",
    created: Created,
    mountPoint: "",
    annotations: {},
    createdBy: "",
    comment: "",
    hostname: "",
    domainname: "",
    document: {
      created: Created,
      ...(Author === "" ? {} : { author: Author }),
      architecture: Architecture,
      os: Os,
      config: Object.fromEntries(entries.filter(([, value]) => value !== false)),
      rootfs: { type: "layers", diff_ids: RootFS.Layers ?? [] },
      history: history.toReversed().map(({ Created: created, CreatedBy, Comment }) => ({
        created: new Date(created * 1000).toISOString(),
        created_by: CreatedBy,
        ...(Comment === "" ? {} : { comment: Comment }),
      })),
    },
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
