import { InvalidArgumentError, Option } from "commander";
import { z } from "zod";

/** The command line's option for each setting of a schema: its name, values, default and description are the schema's. */
export function settingOptions(schema: z.ZodObject): Option[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const { value, description } = field.meta() as { readonly value: string; readonly description: string };
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const inner = unwrapped(field);
    const option = new Option(value === "" ? flag : `${flag} <${value}>`, description);
    if (inner instanceof z.ZodEnum) option.choices(inner.options.map(String));
    else if (value !== "") option.argParser((text) => read(inner, text));
    if (field instanceof z.ZodDefault) option.default(field.def.defaultValue);
    return option;
  });
}

/** What a setting's value is, where one is given. */
function unwrapped(field: z.core.$ZodType): z.core.$ZodType {
  return field instanceof z.ZodDefault || field instanceof z.ZodOptional || field instanceof z.ZodReadonly
    ? unwrapped(field.unwrap())
    : field;
}

function read(schema: z.core.$ZodType, text: string): unknown {
  const value =
    schema instanceof z.ZodArray
      ? text.split(",").map((part) => part.trim())
      : text.trim() === ""
        ? text
        : Number(text);
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw new InvalidArgumentError(`Expected ${result.error.issues[0]!.message}.`);
}
