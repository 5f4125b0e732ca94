import type { BranchNode, CommandNode, ListNode, Node, Operand, PipeNode } from "./node.ts";
import { quote } from "./quote.ts";

/** A node as Go prints it back: the `<…>` of error texts. */
export function printNode(node: Node): string {
  switch (node.type) {
    case "text":
      return node.text;
    case "action":
      return `{{${printPipe(node.pipe)}}}`;
    case "break":
      return "{{break}}";
    case "continue":
      return "{{continue}}";
    case "if":
    case "range":
    case "with":
      return printBranch(node);
    case "template":
      return `{{template ${quote(node.name)}${node.pipe === undefined ? "" : ` ${printPipe(node.pipe)}`}}}`;
    case "list":
      return printList(node);
    case "command":
      return printCommand(node);
    default:
      return printOperand(node);
  }
}

function printList(list: ListNode): string {
  return list.nodes.map(printNode).join("");
}

function printBranch(node: BranchNode): string {
  const otherwise = node.elseList === undefined ? "" : `{{else}}${printList(node.elseList)}`;
  return `{{${node.type} ${printPipe(node.pipe)}}}${printList(node.list)}${otherwise}{{end}}`;
}

function printPipe(pipe: PipeNode): string {
  const commands = pipe.commands.map(printCommand).join(" | ");
  if (pipe.variables.length === 0) return commands;
  return `${pipe.variables.map(printOperand).join(", ")} ${pipe.assigns ? "=" : ":="} ${commands}`;
}

function printCommand(command: CommandNode): string {
  return command.operands
    .map((operand) => (operand.type === "pipe" ? `(${printPipe(operand)})` : printOperand(operand)))
    .join(" ");
}

function printOperand(node: Operand): string {
  switch (node.type) {
    case "number":
      return node.text;
    case "string":
      return node.quoted;
    case "bool":
      return String(node.value);
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "field":
      return node.names.map((name) => `.${name}`).join("");
    case "variable":
      return node.names.join(".");
    case "identifier":
      return node.name;
    case "chain": {
      const operand = node.operand.type === "pipe" ? `(${printPipe(node.operand)})` : printOperand(node.operand);
      return operand + node.names.map((name) => `.${name}`).join("");
    }
    case "pipe":
      return printPipe(node);
  }
}
