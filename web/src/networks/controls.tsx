/** The options of a network as controls. An empty field is the network as drawn, whose value it shows. */
import { useId } from 'react';
import { networks, type Stage } from '../../../src/networks/networks.ts';
import {
  drawnOf,
  type OptionName,
  optionNames,
  readNetwork,
  type Side,
  settingName,
  stages,
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
      ...Object.fromEntries(optionNames.map((option) => [settingName(side, option), undefined])),
      [settingName(side, 'network')]: next,
      ...(side === 'first' && { at: undefined }),
    });
  return (
    <div className="field">
      <label htmlFor={id}>{side === 'first' ? 'Network' : 'Compared with'}</label>
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
  const drawn = drawnOf(readNetwork(settings, side));
  const key = (name: OptionName) => settingName(side, name);
  const text = (name: OptionName) => settings.get(key(name)) ?? '';
  const set = (name: OptionName) => (value: string) => change({ [key(name)]: value || undefined });
  const toggle = (name: OptionName, on: string) => (checked: boolean) =>
    change({ [key(name)]: checked ? on : undefined });
  const isSet = optionNames.some((name) => settings.has(key(name)));
  const hasScales = Object.keys(drawn.scales).length > 0;
  return (
    <div className="options">
      <NumberField label="Classes" value={text('classes')} drawn={1000} least={0} onChange={set('classes')} />
      <NumberField
        label="Input size"
        unit="pixels"
        value={text('size')}
        drawn={drawn.input[0]}
        onChange={set('size')}
      />
      <NumberField
        label="Input channels"
        value={text('channels')}
        drawn={drawn.input[2]}
        onChange={set('channels')}
      />
      <WidthField value={text('width')} onChange={set('width')} />
      {Object.keys(drawn.blocks).length > 0 && (
        <StageFields
          legend="Blocks"
          text={text('blocks')}
          drawn={drawn.blocks}
          step={1}
          onChange={(value) => change({ [key('blocks')]: value })}
        />
      )}
      {hasScales && text('scale') !== 'off' && (
        <StageFields
          legend="Residual scale"
          text={text('scale')}
          drawn={drawn.scales}
          step={0.01}
          onChange={(value) => change({ [key('scale')]: value })}
        />
      )}
      {hasScales && (
        <Check
          label="Residuals unscaled"
          checked={text('scale') === 'off'}
          onChange={toggle('scale', 'off')}
        />
      )}
      {drawn.keep !== undefined && (
        <NumberField
          label="Dropout keeps"
          value={text('keep')}
          drawn={drawn.keep}
          step={0.05}
          onChange={set('keep')}
        />
      )}
      {drawn.embedding !== undefined && (
        <NumberField
          label="Embedding"
          value={text('embedding')}
          drawn={drawn.embedding}
          onChange={set('embedding')}
        />
      )}
      <Check
        label="Auxiliary classifier"
        checked={text('auxiliary') === 'yes'}
        onChange={toggle('auxiliary', 'yes')}
      />
      <Check
        label="Batch norm without gamma"
        checked={text('gamma') === 'no'}
        onChange={toggle('gamma', 'no')}
      />
      <Check
        label="Average pooling counts padding"
        checked={text('padding') === 'counted'}
        onChange={toggle('padding', 'counted')}
      />
      <button
        type="button"
        disabled={!isSet}
        onClick={() => change(Object.fromEntries(optionNames.map((name) => [key(name), undefined])))}
      >
        As drawn
      </button>
    </div>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly unit?: string;
  readonly value: string;
  readonly drawn: number;
  readonly least?: number;
  readonly step?: number;
  readonly onChange: (value: string) => void;
}

function NumberField({ label, unit, value, drawn, least = 1, step = 1, onChange }: NumberFieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {unit && <span className="quiet"> ({unit})</span>}
      </label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={step < 1 ? step : least}
        step={step}
        value={value}
        placeholder={String(drawn)}
        onChange={({ target }) => onChange(target.value)}
      />
    </div>
  );
}

function WidthField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>
        Width <output className="quiet">× {value || '1'}</output>
      </label>
      <input
        id={id}
        type="range"
        min="0.125"
        max="2"
        step="0.125"
        value={value || '1'}
        onChange={({ target }) => onChange(target.value === '1' ? '' : target.value)}
      />
    </div>
  );
}

interface StageFieldsProps {
  readonly legend: string;
  readonly text: string;
  readonly drawn: Partial<Record<Stage, number>>;
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
