/** The options of a network as controls. An empty field means the value of the network as drawn, shown as placeholder. */
import { useId } from 'react';
import {
  type NetworkOptionName,
  networkOptionNames,
  type PerStage,
  stages,
} from '../../../src/networks/network-options.ts';
import { networks } from '../../../src/networks/networks.ts';
import {
  type Control,
  controlsOf,
  readNetwork,
  type Side,
  settingName,
  writeStages,
} from './network-settings.ts';

export type Change = (changes: Readonly<Record<string, string | undefined>>) => void;

interface ControlsProps {
  readonly settings: URLSearchParams;
  readonly side: Side;
  readonly change: Change;
}

export function NetworkSelect({ settings, side, change }: ControlsProps) {
  const id = useId();
  const name = readNetwork(settings, side);
  const choose = (next: string) =>
    change({
      ...Object.fromEntries(networkOptionNames.map((option) => [settingName(side, option), undefined])),
      [settingName(side, 'network')]: next,
      ...(side === 'first' && { at: undefined }),
    });
  return (
    <div className="field">
      <label htmlFor={id}>{side === 'first' ? 'Network' : 'Compare with'}</label>
      <select id={id} value={name} onChange={({ target }) => choose(target.value)}>
        {networks.map((network) => (
          <option key={network.name} value={network.name}>
            {network.name}
          </option>
        ))}
      </select>
    </div>
  );
}

export function OptionControls({ settings, side, change }: ControlsProps) {
  const controls = controlsOf(readNetwork(settings, side));
  const key = (name: NetworkOptionName) => settingName(side, name);
  const isSet = networkOptionNames.some((name) => settings.has(key(name)));
  return (
    <div className="options">
      {controls.map((control) => (
        <OptionControl
          key={control.name}
          {...control}
          text={settings.get(key(control.name)) ?? ''}
          onChange={(text) => change({ [key(control.name)]: text || undefined })}
        />
      ))}
      <button
        type="button"
        disabled={!isSet}
        onClick={() => change(Object.fromEntries(networkOptionNames.map((name) => [key(name), undefined])))}
      >
        Reset
      </button>
    </div>
  );
}

interface OptionControlProps extends Control {
  readonly text: string;
  readonly onChange: (text: string | undefined) => void;
}

function OptionControl({ option, drawn, text, onChange }: OptionControlProps) {
  const { label, control } = option;
  switch (control.kind) {
    case 'number':
      return control.slider ? (
        <SliderField
          label={label}
          value={text}
          drawn={String(drawn)}
          ends={control.slider}
          step={control.step}
          onChange={onChange}
        />
      ) : (
        <NumberField
          label={label}
          value={text}
          drawn={Number(drawn)}
          minimum={control.minimum}
          step={control.step}
          onChange={onChange}
        />
      );
    case 'size':
      return (
        <NumberField
          label={label}
          value={text}
          drawn={Array.isArray(drawn) ? drawn[0] : Number(drawn)}
          minimum={1}
          step={1}
          onChange={onChange}
        />
      );
    case 'boolean':
      return (
        <Check
          label={label}
          checked={text === '' ? drawn === true : text === 'true'}
          onChange={(checked) => onChange(checked === drawn ? undefined : String(checked))}
        />
      );
    case 'stages':
      return (
        <>
          {!control.words.includes(text) && (
            <StageFields
              legend={label}
              text={text}
              drawn={drawn as PerStage}
              step={control.step}
              onChange={onChange}
            />
          )}
          {control.words.map((word) => (
            <Check
              key={word}
              label={`${label}: ${word}`}
              checked={text === word}
              onChange={(checked) => onChange(checked ? word : undefined)}
            />
          ))}
        </>
      );
  }
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: string;
  readonly drawn: number;
  readonly minimum: number;
  readonly step: number;
  readonly onChange: (value: string) => void;
}

function NumberField({ label, value, drawn, minimum, step, onChange }: NumberFieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={minimum}
        step={step}
        value={value}
        placeholder={String(drawn)}
        onChange={({ target }) => onChange(target.value)}
      />
    </div>
  );
}

interface SliderFieldProps {
  readonly label: string;
  readonly value: string;
  readonly drawn: string;
  readonly ends: readonly [number, number];
  readonly step: number;
  readonly onChange: (value: string) => void;
}

function SliderField({ label, value, drawn, ends: [minimum, maximum], step, onChange }: SliderFieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} <output className="quiet">× {value || drawn}</output>
      </label>
      <input
        id={id}
        type="range"
        min={minimum}
        max={maximum}
        step={step}
        value={value || drawn}
        onChange={({ target }) => onChange(target.value === drawn ? '' : target.value)}
      />
    </div>
  );
}

interface StageFieldsProps {
  readonly legend: string;
  readonly text: string;
  readonly drawn: PerStage;
  readonly step: number;
  readonly onChange: (text: string | undefined) => void;
}

function StageFields({ legend, text, drawn, step, onChange }: StageFieldsProps) {
  const values = text.split(',');
  const current = Object.fromEntries(stages.map((stage, index) => [stage, values[index] ?? '']));
  return (
    <fieldset className="stages">
      <legend>{legend}</legend>
      {stages.map((stage) =>
        drawn[stage] === undefined ? null : (
          <label key={stage}>
            <span>{stage}</span>
            <input
              type="number"
              inputMode="decimal"
              min={step}
              step={step}
              value={current[stage]}
              placeholder={String(drawn[stage])}
              onChange={({ target }) => onChange(writeStages({ ...current, [stage]: target.value }))}
            />
          </label>
        ),
      )}
    </fieldset>
  );
}

interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function Check({ label, checked, onChange }: CheckProps) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={({ target }) => onChange(target.checked)} />
      {label}
    </label>
  );
}
