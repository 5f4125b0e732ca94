import { errorMessage } from "@boxship/base/errors";
import { Template, templateFunctions } from "@boxship/template";
import { defineBuildah, imageName } from "../../buildah/buildah-command.ts";
import { bareId } from "../../buildah/working-api.ts";
import { type Context, print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, filter, text } from "../../flags/flag.ts";
import { fullName, parseImageName } from "../../format/image-name.ts";
import type { ListedImage } from "../../format/image-row.ts";
import { alignTabs } from "../../format/tab-writer.ts";
import { humanDuration, humanSize } from "../../format/units.ts";
import { filterQuery } from "../../shared/list-defaults.ts";

interface Row {
  readonly image: ListedImage;
  readonly repository: string;
  readonly tag: string;
}

export const command = defineBuildah({
  usage: "[OPTIONS] [IMAGE]",
  summary: "List images in local storage",
  flags: {
    all: bool("Show all images, including intermediate images from a build", { short: "a" }),
    digests: bool("Show digests"),
    filter: filter(),
    format: text("Pretty-print images using a Go template"),
    json: bool("Output in JSON format"),
    "no-trunc": bool("Do not truncate output"),
    noheading: bool("Do not print column headings", { short: "n" }),
    quiet: bool("Display only image IDs", { short: "q" }),
  },
  async run(context, { flags, operands: [name, ...more] }) {
    if (more.length > 0) throw new Failure("'buildah images' requires at most 1 argument");
    const wanted = name === undefined ? undefined : imageName(name);
    const filters = wanted === undefined ? flags.filter : { ...flags.filter, reference: [wanted] };
    const images = await context.api.json<readonly ListedImage[]>("GET", "/images/json", {
      query: { all: flags.all, digests: true, filters: filterQuery(filters) },
    });
    if (name !== undefined && images.length === 0) throw new Failure(`${name}: image not known`);
    const id = (image: ListedImage) => (flags["no-trunc"] ? image.Id : bareId(image.Id).slice(0, 12));
    if (flags.json)
      print(
        context,
        JSON.stringify(
          images.map((image) => jsonOf(image, id(image))),
          undefined,
          4,
        ),
      );
    else if (flags.quiet) for (const image of images) print(context, id(image));
    else if (flags.format !== "") printTemplate(context, images.flatMap(rowsOf), flags.format);
    else {
      const { digests, noheading } = flags;
      const heading = ["REPOSITORY", "TAG", ...(digests ? ["DIGEST"] : []), "IMAGE ID", "CREATED", "SIZE"];
      const lines = images.flatMap(rowsOf).map(({ image, repository, tag }) => {
        return [repository, tag, ...(digests ? [digestOf(image)] : []), id(image), age(image), sizeOf(image)];
      });
      const rows = [...(noheading ? [] : [heading]), ...lines].map((cells) => cells.join("\t"));
      if (rows.length > 0) print(context, alignTabs(rows.join("\n"), { minWidth: 0 }));
    }
  },
});

const NONE = "<none>";

function namesOf({ RepoTags }: ListedImage): readonly string[] {
  return (RepoTags ?? []).flatMap((tag) => {
    const name = parseImageName(tag);
    return name === undefined ? [] : [fullName(name)];
  });
}

function rowsOf(image: ListedImage): readonly Row[] {
  const names = namesOf(image);
  if (names.length === 0) return [{ image, repository: NONE, tag: NONE }];
  return names.map((name) => {
    const at = name.lastIndexOf(":");
    return { image, repository: name.slice(0, at), tag: name.slice(at + 1) };
  });
}

const age = ({ Created }: ListedImage): string => `${humanDuration(Date.now() - Created * 1000)} ago`;
const sizeOf = ({ Size }: ListedImage): string => humanSize(Size, 3).replace(/(?=[kMGTPEZY]?B$)/, " ");
const digestOf = ({ RepoDigests }: ListedImage): string => (RepoDigests ?? [])[0]?.split("@")[1] ?? NONE;

function jsonOf(image: ListedImage, id: string): object {
  return {
    id,
    names: namesOf(image),
    digest: digestOf(image) === NONE ? "" : digestOf(image),
    createdat: age(image),
    size: sizeOf(image),
    created: image.Created,
    createdatraw: new Date(image.Created * 1000).toISOString(),
    readonly: false,
    history: null,
  };
}

function printTemplate(context: Context, rows: readonly Row[], format: string): void {
  try {
    const template = new Template("", { functions: templateFunctions }).parse(format);
    for (const { image, repository, tag } of rows) {
      const fields = {
        ID: bareId(image.Id).slice(0, 12),
        Name: repository,
        Tag: tag,
        Digest: digestOf(image),
        CreatedAt: age(image),
        CreatedAtRaw: new Date(image.Created * 1000).toISOString(),
        Size: sizeOf(image),
      };
      print(context, template.execute(fields));
    }
  } catch (error) {
    throw new Failure(`Template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}
