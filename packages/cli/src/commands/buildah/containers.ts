import { errorMessage } from "@boxship/base/errors";
import { Template, templateFunctions } from "@boxship/template";
import { defineBuildah } from "../../buildah/buildah-command.ts";
import { bareId, listWorking } from "../../buildah/working-api.ts";
import { type Context, print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, filter, text } from "../../flags/flag.ts";
import { alignTabs } from "../../format/tab-writer.ts";

interface Row {
  readonly id: string;
  readonly builder: boolean;
  readonly imageid: string;
  readonly imagename: string;
  readonly containername: string;
}

export const command = defineBuildah({
  usage: "[OPTIONS]",
  summary: "List working containers and their base images",
  flags: {
    all: bool("Also list containers of the engine", { short: "a" }),
    filter: filter("Filter output based on conditions provided: id, name, ancestor"),
    format: text("Pretty-print containers using a Go template"),
    json: bool("Output in JSON format"),
    noheading: bool("Do not print column headings", { short: "n" }),
    notruncate: bool("Do not truncate output"),
    quiet: bool("Display only container IDs", { short: "q" }),
  },
  async run(context, { flags, operands }) {
    if (operands.length > 0) throw new Failure("'buildah containers' does not accept arguments");
    const rows = (await rowsOf(context, flags.all)).filter((row) => matches(row, flags.filter));
    if (flags.json) print(context, JSON.stringify(rows, undefined, 4));
    else if (flags.quiet) for (const { id } of rows) print(context, id);
    else if (flags.format !== "") printTemplate(context, rows, flags.format);
    else {
      const columns = flags.notruncate ? WIDE : SHORT;
      if (!flags.noheading)
        print(context, columns("CONTAINER ID", "BUILDER", "IMAGE ID", "IMAGE NAME", "CONTAINER NAME"));
      for (const { id, builder, imageid, imagename, containername } of rows) {
        print(context, columns(id, builder ? "   *" : "", imageid, imagename, containername));
      }
    }
  },
});

async function rowsOf(context: Context, all: boolean): Promise<readonly Row[]> {
  const rows = (await listWorking(context)).map(({ id, name, fromImage, fromImageId }) => ({
    id,
    builder: true,
    imageid: bareId(fromImageId),
    imagename: fromImage,
    containername: name,
  }));
  if (!all) return rows;
  type Listed = {
    readonly Id: string;
    readonly ImageID: string;
    readonly Image: string;
    readonly Names: readonly string[];
  };
  const others = await context.api.json<readonly Listed[]>("GET", "/containers/json", { query: { all: true } });
  return [
    ...rows,
    ...others.map(({ Id, ImageID, Image, Names }) => ({
      id: Id,
      builder: false,
      imageid: bareId(ImageID),
      imagename: Image,
      containername: (Names[0] ?? "").replace(/^\//, ""),
    })),
  ];
}

function matches(row: Row, filters: Readonly<Record<string, readonly string[]>>): boolean {
  return Object.entries(filters).every(([key, values]) =>
    values.some((value) => {
      if (key === "id") return row.id.startsWith(value);
      if (key === "name") return row.containername.includes(value);
      if (key === "ancestor") {
        return (
          row.imageid.startsWith(value) ||
          row.imagename === value ||
          row.imagename.endsWith(`/${value}`) ||
          row.imagename.endsWith(`/${value}:latest`)
        );
      }
      throw new Failure(`invalid filter ${JSON.stringify(key)}`);
    }),
  );
}

const cell = (value: string, width: number): string => value.slice(0, width).padEnd(width);

function SHORT(id: string, builder: string, imageId: string, image: string, name: string): string {
  return `${cell(id, 12)}  ${builder.padEnd(8)} ${cell(imageId, 12)} ${image.padEnd(32)} ${name}`;
}

function WIDE(id: string, builder: string, imageId: string, image: string, name: string): string {
  return `${id.padEnd(64)}  ${builder.padEnd(8)} ${imageId.padEnd(64)} ${image.padEnd(32)} ${name}`;
}

/** Blanks in a template separate columns. */
function printTemplate(context: Context, rows: readonly Row[], format: string): void {
  const lines = rows.map((row) => {
    const { id, builder, imageid, imagename, containername } = row;
    return execute(format.replaceAll(" ", "\t"), {
      ContainerID: id,
      Builder: builder ? "   *" : "",
      ImageID: imageid,
      ImageName: imagename,
      ContainerName: containername,
    });
  });
  if (lines.length > 0) print(context, alignTabs(lines.join("\n"), { minWidth: 0 }));
}

function execute(format: string, row: Readonly<Record<string, string>>): string {
  try {
    return new Template("", { functions: templateFunctions }).parse(format).execute(row);
  } catch (error) {
    throw new Failure(`Template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}
