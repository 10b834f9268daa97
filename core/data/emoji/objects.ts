/**
 * The things of the built-in data: shapes × colours × sizes, arrows × directions, clocks and buttons × numbers. Left
 * out:
 *
 * - faces, animals, food, vehicles, buildings, tools, flags: their names share too few words to be compositions;
 * - the pink and the grey heart and the button showing zero, for the same reason;
 * - the light blue heart, whose caption would give away the blue one.
 */

/** A thing and its icon, which both packages name alike. */
export interface Thing {
  readonly words: string;
  readonly icon: string;
}

const SHAPE_COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white"];

const thing = (words: string, icon = words.replaceAll(" ", "-")): Thing => ({ words, icon });

const SHAPES: readonly Thing[] = [
  ...SHAPE_COLOURS.map((colour) => thing(`${colour} heart`)),
  ...SHAPE_COLOURS.map((colour) => thing(`${colour} circle`)),
  ...SHAPE_COLOURS.slice(0, -2).map((colour) => thing(`large ${colour} square`, `${colour}-square`)),
  ...["black", "white"].flatMap((colour) =>
    ["large", "medium", "small"].map((size) => thing(`${size} ${colour} square`, `${colour}-${size}-square`)),
  ),
  ...["blue", "orange"].flatMap((colour) => ["large", "small"].map((size) => thing(`${size} ${colour} diamond`))),
  thing("red book", "closed-book"),
  ...["orange", "green", "blue"].map((colour) => thing(`${colour} book`)),
];

const ARROWS: readonly Thing[] = [
  ...["up", "down", "left", "right"].map((way) => thing(`arrow pointing ${way}`, `${way}-arrow`)),
  ...["up left", "up right", "down left", "down right", "up down", "left right"].map((ways) =>
    thing(`arrow pointing ${ways.replace(" ", " and ")}`, `${ways.replace(" ", "-")}-arrow`),
  ),
];

const HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

const NUMBERS: readonly Thing[] = [
  ...HOURS.map((hour) => thing(`clock showing ${hour}`, `${hour}-oclock`)),
  ...HOURS.map((hour) => thing(`clock showing half past ${hour}`, `${hour}-thirty`)),
  ...HOURS.slice(0, 10).map((number, index) => thing(`button showing ${number}`, `keycap-${index + 1}`)),
];

export const THINGS: readonly Thing[] = [...SHAPES, ...ARROWS, ...NUMBERS];
